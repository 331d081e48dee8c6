"""Import the history of one provider: what is new, a bounded batch at a time (contract §8)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from hypactors.errors import ImportRunError
from hypactors.forward import describe_until, read_first_sync_hold
from hypactors.importing._checkpoints import Checkpoints, Taken
from hypactors.importing._frames import DIGEST, ITEM, Reader
from hypactors.importing._memory import be_frugal
from hypactors.importing._sources import fingerprint
from hypactors.importing._workers import read_alone, read_with_workers, worker_count
from hypactors.lake import cache_id
from hypactors.providers import Findings, ScanContext
from hypactors.usage_policy import UsagePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pyarrow as pa

    from hypactors.cache import MessageWriter
    from hypactors.importing._frames import Frame
    from hypactors.importing._progress import Progress
    from hypactors.importing._workers import Task
    from hypactors.lake import Lake
    from hypactors.paths import HypHome
    from hypactors.providers import Provider, Scan, Window

# A commit costs some 60 ms and a file for each month and client.
COMMIT_ROWS = 25_000
COMMIT_BYTES = 20 * 1024 * 1024
# A session's number among all: its number in its task, and above it that of the task's first file.
_ITEM_BITS = 32


class EventLog(Protocol):
    """Where an import tells what it does."""

    def event(self, event: str, *, level: str = "info", **fields: object) -> None: ...


@dataclass(slots=True)
class Imported:
    """What one provider's import came to. An item is a session of one file (import §10)."""

    items_seen: int = 0
    items_fresh: int = 0
    rows_written: int = 0
    files: int = 0
    cache_id: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an import works in. ``shield`` keeps a signal from ending it inside a block."""

    run_id: str
    home: HypHome
    lake: Lake
    environ: Mapping[str, str]
    window: Window
    is_configured: Callable[[str], bool]
    now_ms: int
    log: EventLog
    shield: Callable[[], AbstractContextManager[None]]


@dataclass(slots=True)
class _Pending:
    """Frames that wait for a commit, and the files that will then be taken."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    files: int = 0

    @property
    def is_full(self) -> bool:
        return self.rows >= COMMIT_ROWS or self.size >= COMMIT_BYTES


class Engine:
    """Imports one provider's history into the cache. Raises what goes wrong; commits stay."""

    def __init__(
        self, provider: Provider, around: Surroundings, findings: Findings, progress: Progress
    ) -> None:
        self._provider = provider
        self._around = around
        self._findings = findings
        # What is found from one frame to the next, and travels with it.
        self._found = Findings()
        self._progress = progress
        self._policy = UsagePolicy()
        self._table_id: str | None = None
        self._needed_plugins: set[str] = set()
        self._writer: MessageWriter | None = None
        self._fresh_items: set[int] = set()
        self.imported = Imported()
        """Filled while it runs, so that what was done before a failure is known."""

    def count(self) -> None:
        """Count what an import would look at; nothing is written."""
        self._learn_policy()
        try:
            scan = self._scan()
            reader = self._reader(scan)
            for source in scan.sources:
                self.imported.files += 1
                self.imported.items_seen += reader.sessions(source)
            self.imported.items_fresh = self.imported.items_seen
        finally:
            self._findings.merge(self._found.take())

    def run(self, *, in_worker: Callable[[], None]) -> None:
        """Import what is new. Whoever calls holds the lock of the provider's imports.

        ``in_worker`` is called first in each process that is forked, to let go of that lock there.
        """
        try:
            self._run(in_worker)
        finally:
            self._findings.merge(self._found.take())
            # Sessions are seen when their file ends; of one that did not, some may be in already.
            self.imported.items_seen = max(self.imported.items_seen, self.imported.items_fresh)

    def _run(self, in_worker: Callable[[], None]) -> None:
        scan = self._scan()
        for notice in getattr(scan, "notices", ()):
            self._log(notice.event, level="warning", **notice.attributes)
        if not scan.sources:  # nor is there anything to remember
            return
        self._learn_policy()
        self._require_no_hold()
        path = self._around.home.checkpoint_file(self._provider.name)
        with contextlib.closing(Checkpoints.open(path)) as checkpoints:
            self._table_id = _table_id(self._around.lake)
            self.imported.cache_id = cache_id(self._around.lake)
            checkpoints.belong_to(self._table_id)
            sources, sizes = self._changed(scan.sources, checkpoints)
            if sources:
                be_frugal()
                with self._frames(self._reader(scan), sources, sizes, in_worker) as frames:
                    self._import(frames, sources, sizes, checkpoints)
                self._prepare_queries()
        self._progress.end()
        for odd, reason in self._policy.odd_files.items():
            self._log("hypignore_not_understood", level="warning", path=odd, reason=reason)

    def _learn_policy(self) -> None:
        if self._around.lake.is_shared:  # what is written there has left this machine
            self._policy = UsagePolicy.load(self._around.home)

    def _require_no_hold(self) -> None:
        if not self._around.lake.is_shared:
            return
        now = datetime.fromtimestamp(self._around.now_ms / 1000, UTC)
        hold = read_first_sync_hold(self._around.home, now)
        if hold is not None:
            raise ImportRunError(
                f"no history leaves this machine before {describe_until(hold.until)};"
                " 'hyp sync' lets it go now"
            )

    def _scan(self) -> Scan:
        around = self._around
        return self._provider.scan(
            ScanContext(
                window=around.window,
                environ=around.environ,
                home=around.home,
                is_configured=around.is_configured,
                findings=self._found,
                needs_plugin=self._needed_plugins.add,
            )
        )

    def _reader(self, scan: Scan) -> Reader:
        return Reader(
            scan,
            is_left_out=self._is_left_out,
            findings=self._found,
            needed_plugins=self._needed_plugins,
            now_ms=self._around.now_ms,
        )

    def _changed(
        self, sources: Sequence[Path], checkpoints: Checkpoints
    ) -> tuple[list[Path], list[int]]:
        """Return the files to read, with their sizes; the others are as they were taken."""
        changed: list[Path] = []
        sizes: list[int] = []
        known_bytes = 0
        for source in sources:
            now = fingerprint(source)
            known = None
            if now is not None:
                known = checkpoints.covering(
                    source, now, self._around.window, self._is_still_withheld
                )
            if now is not None and known is not None:
                self.imported.items_seen += known.items
                known_bytes += now.size
            else:
                changed.append(source)
                sizes.append(0 if now is None else now.size)
        self.imported.files = len(sources)
        self._progress.begin(
            len(sources),
            sum(sizes) + known_bytes,
            known_files=len(sources) - len(changed),
            known_bytes=known_bytes,
        )
        return changed, sizes

    def _is_still_withheld(self, reason: str) -> bool:
        kind, _, name = reason.partition(":")
        if kind == "plugin":
            return not self._around.is_configured(name)
        return self._is_left_out(name)

    def _is_left_out(self, cwd: str | None) -> bool:
        if self._around.lake.is_shared:
            return self._policy.is_withheld(cwd)
        return self._policy.is_ignored(cwd)

    def _frames(
        self,
        reader: Reader,
        sources: Sequence[Path],
        sizes: Sequence[int],
        in_worker: Callable[[], None],
    ) -> AbstractContextManager[Iterator[tuple[Task, Frame]]]:
        count = worker_count(self._around.environ, sizes)
        if count == 0:
            return contextlib.nullcontext(read_alone(reader, sources, sizes))
        return read_with_workers(reader, sources, sizes, count=count, in_worker=in_worker)

    def _import(
        self,
        frames: Iterator[tuple[Task, Frame]],
        sources: Sequence[Path],
        sizes: Sequence[int],
        checkpoints: Checkpoints,
    ) -> None:
        import hypactors.cache  # noqa: PLC0415, F401 - loaded while the workers begin to read

        pending = _Pending()
        failures: list[Exception] = []
        for (begin, _), (rows, note) in _until_failure(frames, failures):
            self._findings.merge(note.findings)
            for session in note.ignored:
                self._log("session_ignored", session_id=session)
            if rows is not None:
                if note.size >= COMMIT_BYTES:  # alone it need not be copied
                    self._commit(pending, checkpoints)
                    pending = _Pending()
                pending.batches.append(rows)
                pending.tasks.append(begin)
                pending.rows += rows.num_rows
                pending.size += note.size
            for end in note.ended:
                self.imported.items_seen += end.sessions
                pending.files += 1
                path = sources[begin + end.number]
                if end.fingerprint is not None:
                    pending.taken.append(Taken(path, end.fingerprint, end.sessions, end.withheld))
                self._progress.file_ended(sizes[begin + end.number], task=begin)
            self._progress.file_under_way(note.bytes_read, task=begin)
            if pending.is_full:
                self._commit(pending, checkpoints)
                pending = _Pending()
        self._commit(pending, checkpoints)
        if failures:  # what came before it is in all the same, or would never be
            raise failures[0]

    def _commit(self, pending: _Pending, checkpoints: Checkpoints) -> None:
        with self._around.shield():
            if pending.batches:
                self._write(pending)
            if pending.taken:
                checkpoints.belong_to(self._table_id)
                checkpoints.save(pending.taken, self._around.window)

    def _write(self, pending: _Pending) -> None:
        import pyarrow as pa  # noqa: PLC0415 - there are rows by now
        import pyarrow.compute as pc  # noqa: PLC0415

        table = pa.Table.from_batches(pending.batches)
        items = pa.chunked_array(
            [
                pc.add(batch.column(ITEM).cast(pa.int64()), task << _ITEM_BITS)
                for batch, task in zip(pending.batches, pending.tasks, strict=True)
            ]
        )
        pending.batches.clear()
        digests = table.column(DIGEST).combine_chunks()
        writer = self._open_writer()
        if self._table_id not in {None, writer.cache_id}:
            raise ImportRunError("the cache was made anew while history was read: import it again")
        committed = writer.commit_columns(
            table.drop_columns([DIGEST, ITEM]), digests, files=pending.files
        )
        self._table_id = writer.cache_id
        self.imported.cache_id = self._around.lake.shared_id or self._table_id
        if committed.snapshot_id is None:
            return
        self._fresh_items.update(pc.unique(items.take(pa.array(committed.fresh))).to_pylist())
        self.imported.items_fresh = len(self._fresh_items)
        self.imported.rows_written += len(committed.fresh)
        self._progress.rows_written = self.imported.rows_written
        self._log(
            "batch_committed",
            rows=len(committed.fresh),
            rows_total=self.imported.rows_written,
            snapshot_id=committed.snapshot_id,
        )

    def _prepare_queries(self) -> None:
        """Let the first query of the new rows be as quick as the others."""
        if self._writer is not None:
            from hypactors.cache import remember_files  # noqa: PLC0415 - it is loaded by now

            remember_files(self._around.lake)

    def _open_writer(self) -> MessageWriter:
        if self._writer is None:
            from hypactors.cache import MessageWriter  # noqa: PLC0415 - there are rows by now

            self._writer = MessageWriter(
                self._around.lake, run_id=self._around.run_id, keeps_snapshots=False
            )
        return self._writer

    def _log(self, event: str, *, level: str = "info", **fields: Any) -> None:
        self._around.log.event(event, level=level, provider=self._provider.name, **fields)


def _table_id(lake: Lake) -> str | None:
    """Return the id of the table, None when there is none yet.

    A shared one is looked up in its catalogue: others may have made it anew.
    """
    if not lake.is_shared:
        return cache_id(lake)
    from hypactors.cache import table_id  # noqa: PLC0415 - a cache of one's own can do without

    return table_id(lake)


def _until_failure(
    frames: Iterator[tuple[Task, Frame]], failures: list[Exception]
) -> Iterator[tuple[Task, Frame]]:
    """Yield the frames up to the one that cannot be made; why it cannot goes into ``failures``."""
    try:
        yield from frames
    except Exception as error:  # noqa: BLE001 - another package's provider may raise anything
        failures.append(error)
