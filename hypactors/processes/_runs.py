"""Run folders: one a run, a few kept a provider (contract §5)."""

from __future__ import annotations

import re
import shutil
from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.clock import iso_ms
from hypactors.errors import ImportRunError
from hypactors.files import ensure_private_dir, remove_leftovers
from hypactors.processes import _names
from hypactors.processes._identity import is_running
from hypactors.processes._records import (
    ImportProgress,
    ImportSummary,
    PidRecord,
    RunRecord,
    RunResult,
    read_record,
    write_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from hypactors.paths import HypHome

STDOUT_LIMIT_BYTES = 16 * 1024 * 1024
STDERR_TAIL_BYTES = 64 * 1024
KEPT_RUNS = 10

_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


class RunFolder:
    """One run's files. Reading a record that is absent or does not parse gives None."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = path.name
        self.lock_path = path.parent / _names.LOCK_FILE

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def record(self) -> RunRecord | None:
        return read_record(self.path / _names.RUN_FILE, RunRecord)

    def write_record(self, record: RunRecord) -> None:
        write_record(self.path / _names.RUN_FILE, record)

    def pids(self) -> PidRecord | None:
        return read_record(self.path / _names.PID_FILE, PidRecord)

    def write_pids(self, pids: PidRecord) -> None:
        write_record(self.path / _names.PID_FILE, pids)

    def result(self) -> RunResult | None:
        return read_record(self.path / _names.RESULT_FILE, RunResult)

    def write_result(self, result: RunResult) -> None:
        write_record(self.path / _names.RESULT_FILE, result)

    def progress(self) -> ImportProgress | None:
        return read_record(self.path / _names.PROGRESS_FILE, ImportProgress)

    def progress_fields(self) -> dict[str, Any] | None:
        """Return the same as the JSON values that a status shows."""
        progress = self.progress()
        return None if progress is None else msgspec.structs.asdict(progress)

    def imported(self) -> ImportSummary | None:
        return read_record(self.path / _names.IMPORTED_FILE, ImportSummary)

    def write_imported(self, summary: ImportSummary) -> None:
        write_record(self.path / _names.IMPORTED_FILE, summary)

    def is_settled(self) -> bool:
        record = self.record()
        return record is not None and record.state == "settled"

    def is_live(self) -> bool:
        """Say whether the launcher or the import of this run is known and alive."""
        pids = self.pids()
        if pids is None:
            return False
        return is_running(pids.launcher, pids.boot_id) or (
            pids.import_ is not None and is_running(pids.import_, pids.boot_id)
        )

    def stdout_bytes(self, limit: int = STDOUT_LIMIT_BYTES) -> bytes:
        """Return what the import wrote to stdout; more than ``limit`` is an ``ImportRunError``."""
        path = self.path / _names.STDOUT_FILE
        try:
            with path.open("rb") as stream:
                content = stream.read(limit + 1)
        except FileNotFoundError:
            return b""
        if len(content) > limit:
            raise ImportRunError(f"the import wrote more than {limit} bytes to stdout")
        return content

    def stderr_tail(self, limit: int = STDERR_TAIL_BYTES) -> str:
        """Return the end of what the import wrote to stderr, whatever bytes it is made of."""
        path = self.path / _names.STDERR_FILE
        try:
            with path.open("rb") as stream:
                size = stream.seek(0, 2)
                stream.seek(max(0, size - limit))
                return stream.read(limit).decode(errors="replace")
        except FileNotFoundError:
            return ""


class ProviderRuns:
    """The runs of one provider. Its runner is the only one that writes here.

    ``folder`` is where they are kept, if not with those of the imports.
    """

    def __init__(self, home: HypHome, provider: str, folder: Path | None = None) -> None:
        self.provider = provider
        self.path = folder or home.provider_runs(provider)

    def new_run(
        self,
        *,
        plugin: str,
        request_key: str,
        argv: Sequence[str],
        since: str | None,
        attempt: int,
        reason: str,
        daemon_run_id: str,
        now: datetime,
        token: str,
    ) -> RunFolder:
        """Make the folder and the record of a run; the record is on disk on return.

        ``token`` is six random hex digits. Take the provider's lock first: a folder that nobody
        holds the lock of reads as an interrupted run.
        """
        for parent in (self.path.parent.parent, self.path.parent, self.path):
            ensure_private_dir(parent)
        run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{token}"
        folder = RunFolder(self.path / run_id)
        folder.path.mkdir(mode=0o700)
        folder.write_record(
            RunRecord(
                run_id=run_id,
                provider=self.provider,
                plugin=plugin,
                request_key=request_key,
                argv=list(argv),
                since=since,
                attempt=attempt,
                reason=reason,
                created_at=iso_ms(now),
                daemon_run_id=daemon_run_id,
            )
        )
        # The folder's own name need not survive a power cut: that has ended the run as well.
        return folder

    def runs(self) -> list[RunFolder]:
        """Return all run folders, newest first."""
        return sorted(_run_folders(self.path), key=lambda run: run.run_id, reverse=True)

    def sweep(self) -> None:
        """Remove what a kill has left of records that were being written; by the runner alone."""
        for run in self.runs():
            remove_leftovers(run.path, _names.RUN_FILE)

    def unsettled(self) -> list[RunFolder]:
        """Return the runs whose outcome is not recorded yet, newest first.

        A folder without a usable ``run.json`` is none of them: nothing is started before that
        file is on disk.
        """
        return [run for run in self.runs() if _is_unsettled(run)]

    def settle(self, folder: RunFolder, outcome: str, settled_at: datetime) -> None:
        """Note that the outcome of a run has been recorded for good (contract §5.3)."""
        remove_leftovers(folder.path)
        record = folder.record()
        if record is not None:
            folder.write_record(
                msgspec.structs.replace(
                    record, state="settled", outcome=outcome, settled_at=iso_ms(settled_at)
                )
            )

    def prune(self, keep: int = KEPT_RUNS) -> None:
        """Remove the oldest runs beyond ``keep``, but never an unsettled or a live one."""
        for run in self.runs()[keep:]:
            if not _is_unsettled(run) and not run.is_live():
                shutil.rmtree(run.path, ignore_errors=True)


class LiveRun(msgspec.Struct, frozen=True, kw_only=True):
    """An import that runs right now. ``pid`` is its launcher's until the import is known."""

    provider: str
    plugin: str
    run_id: str
    pid: int
    started_at: str
    progress: dict[str, Any] | None = None


def find_live_runs(home: HypHome) -> Sequence[LiveRun]:
    """Return the imports that run, found from the files alone; changes nothing."""
    try:
        providers = sorted(entry for entry in home.runs_dir.iterdir() if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        live
        for provider in providers
        for run in _run_folders(provider)
        if (live := _live_run(run)) is not None
    ]


def _live_run(run: RunFolder) -> LiveRun | None:
    record = run.record()
    pids = run.pids()
    if record is None or pids is None or not run.is_live():
        return None
    return LiveRun(
        provider=record.provider,
        plugin=record.plugin,
        run_id=record.run_id,
        pid=(pids.import_ or pids.launcher).pid,
        started_at=record.created_at,
        progress=run.progress_fields(),
    )


def _is_unsettled(run: RunFolder) -> bool:
    record = run.record()
    return record is not None and record.state != "settled"


def _run_folders(provider: Path) -> Iterator[RunFolder]:
    try:
        entries = sorted(provider.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if _RUN_ID.fullmatch(entry.name) and entry.is_dir():
            yield RunFolder(entry)
