"""Files of history -> frames: bounded batches of rows as columns, and which files they complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hypactors.importing._sources import Fingerprint, fingerprint
from hypactors.providers import Finding, Findings, expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from hypactors.providers import Exchange, Row, Scan

# What a process holds between two commits is bounded by this.
FRAME_ROWS = 3_000
FRAME_BYTES = 2 * 1024 * 1024
# The columns that are not long take about this much of a row.
_ROW_BYTES = 600

DIGEST = "_digest"
ITEM = "_item"


class FileEnd(msgspec.Struct, frozen=True):
    """A file that was read to its end, by its place among those of the task.

    ``fingerprint`` is None when it has to be looked at again: it could not be read whole.
    ``withheld`` is as in ``Taken``.
    """

    number: int
    fingerprint: Fingerprint | None
    sessions: int = 0
    withheld: tuple[str, ...] = ()


class Note(msgspec.Struct, frozen=True):
    """What goes with the rows of a frame.

    ``ended`` are the files of which this frame has the last rows. ``ignored`` are sessions that
    were left out, as the usage policy says so. ``bytes_read`` is how much of the file under way
    has been turned into rows, roughly. ``findings`` are those since the frame before. ``size`` is
    what the rows take, in bytes.
    """

    ended: tuple[FileEnd, ...]
    ignored: tuple[str, ...]
    bytes_read: int
    findings: Findings
    is_last: bool
    size: int


class Frame(NamedTuple):
    """Some rows and what goes with them.

    ``rows`` has the columns of the dataset, and then of each row ``DIGEST``, of its part, and
    ``ITEM``, the number of its session among those of the task.
    """

    rows: pa.RecordBatch | None
    note: Note


class Reader:
    """Turns the files of one task after the other into frames."""

    def __init__(
        self,
        scan: Scan,
        *,
        is_left_out: Callable[[str | None], bool],
        findings: Findings,
        needed_plugins: set[str],
        now_ms: int,
    ) -> None:
        """Take the scan; ``findings`` and ``needed_plugins`` are what it adds to while it reads.

        ``is_left_out`` says of a folder that nothing about it is imported.
        """
        self._scan = scan
        self._is_left_out = is_left_out
        self._findings = findings
        self._needed_plugins = needed_plugins
        self._now_ms = now_ms
        self._bytes_read = self._file_bytes = 0
        self._is_read_whole = True
        self._begin()

    def _begin(self) -> None:
        self._rows: list[Row] = []
        self._items: list[int] = []
        self._size = 0
        self._ended: list[FileEnd] = []
        self._ignored: list[str] = []
        self._unreadable_before = 0

    def frames(self, sources: Sequence[Path]) -> Iterator[Frame]:
        """Yield the frames of a task; the last of them completes the last file.

        Raises what the provider does, after a frame of what came before.
        """
        try:
            yield from self._full_frames(sources)
        except Exception:
            yield self._frame(is_last=False)
            raise
        yield self._frame(is_last=True)

    def _full_frames(self, sources: Sequence[Path]) -> Iterator[Frame]:
        item = 0
        for number, source in enumerate(sources):
            # Before the file is read: what is added meanwhile makes it a changed one.
            known_by = fingerprint(source)
            self._unreadable_before = self._findings.count(Finding.UNREADABLE_FILE)
            self._is_read_whole = True
            self._needed_plugins.clear()
            self._bytes_read = -self._size  # of the files before it
            self._file_bytes = 0 if known_by is None else known_by.size
            withheld: set[str] = set()
            first_item = item
            for exchange in self._scan.exchanges(source):
                if self._is_left_out(exchange.cwd):
                    withheld.add(f"ignored:{exchange.cwd}")
                    self._ignored.append(str(exchange.session_id))
                    continue
                yield from self._frames_of(exchange, item)
                item += 1
            withheld.update(f"plugin:{plugin}" for plugin in self._needed_plugins)
            self._notice_unreadable()
            self._ended.append(
                FileEnd(
                    number,
                    known_by if self._is_read_whole else None,
                    item - first_item,
                    tuple(sorted(withheld)),
                )
            )

    def _notice_unreadable(self) -> None:
        """Look whether the file under way could be read; a frame takes the findings with it."""
        if self._findings.count(Finding.UNREADABLE_FILE) > self._unreadable_before:
            self._is_read_whole = False

    def forget(self) -> None:
        """Drop what was found before this process was forked: its parent tells that."""
        self._findings.take()

    def sessions(self, source: Path) -> int:
        """Count the sessions of a file that an import would take, without making rows of them."""
        return sum(not self._is_left_out(exchange.cwd) for exchange in self._scan.exchanges(source))

    def _frames_of(self, exchange: Exchange, item: int) -> Iterator[Frame]:
        for row in expand(exchange, now_ms=self._now_ms):
            # The columns that can be long; the rest is about the same for all.
            size = (
                _ROW_BYTES
                + len(row.content_text or "")
                + len(row.attributes)
                + len(row.tool_args or "")
                + len(row.thinking_signature or "")
            )
            if size >= FRAME_BYTES and self._rows:  # alone it need not be copied
                yield self._frame(is_last=False)
            self._rows.append(row)
            self._items.append(item)
            self._size += size
            del row  # it may be a large part of all there is
            if len(self._rows) >= FRAME_ROWS or self._size >= FRAME_BYTES:
                yield self._frame(is_last=False)

    def _frame(self, *, is_last: bool) -> Frame:
        """Return what has come together, and begin anew."""
        self._bytes_read += self._size
        self._notice_unreadable()
        rows = _batch(self._rows, self._items) if self._rows else None
        note = Note(
            ended=tuple(self._ended),
            ignored=tuple(self._ignored),
            bytes_read=0 if is_last else min(self._bytes_read, self._file_bytes),
            findings=self._findings.take(),
            is_last=is_last,
            size=0 if rows is None else rows.nbytes,
        )
        self._begin()
        return Frame(rows, note)


def _batch(rows: Sequence[Row], items: Sequence[int]) -> pa.RecordBatch:
    # An import with nothing new, or a dry run, has no use for it.
    import pyarrow as pa  # noqa: PLC0415

    from hypactors.dataset.arrow import columns_of, digests_of_rows  # noqa: PLC0415

    columns = columns_of(rows)
    arrays: list[Any] = [*columns.columns, digests_of_rows(rows), pa.array(items, pa.int32())]
    return pa.RecordBatch.from_arrays(arrays, names=[*columns.schema.names, DIGEST, ITEM])
