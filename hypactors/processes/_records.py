"""The JSON files of a run folder (contract §5). One that does not parse counts as absent."""

from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from hypactors.files import read_if_present, write_atomic
from hypactors.processes._identity import ProcessIdentity


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``run.json``: what was asked for, durable before anything is started.

    ``elapsed_s`` is how long the import had run, suspend not counted, when it was last written.
    ``stopped_for`` is the limit that we end it for, on disk before anybody is signalled.
    """

    run_id: str
    provider: str
    plugin: str
    request_key: str
    argv: list[str]
    since: str | None
    attempt: int
    reason: str
    created_at: str
    daemon_run_id: str
    state: Literal["starting", "settled"] = "starting"
    outcome: str | None = None
    settled_at: str | None = None
    elapsed_s: float = 0.0
    stopped_for: str | None = None
    v: Literal[1] = 1


class PidRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``pid.json``: who does it. Written by the launcher, at first without the import."""

    boot_id: str | None
    launcher: ProcessIdentity
    import_: ProcessIdentity | None = msgspec.field(name="import")
    v: Literal[1] = 1


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """``result.json``: how it ended, the last thing that the launcher writes.

    ``exit_code`` is None when a signal ended the import or ``launch_error`` says why it was
    never started.
    """

    run_id: str
    exit_code: int | None
    signal: str | None
    started_at: str
    ended_at: str
    launch_error: str | None
    v: Literal[1] = 1


class ImportProgress(msgspec.Struct, frozen=True, kw_only=True):
    """``progress.json``: how far an import is. ``eta_s`` is None while nobody can know."""

    at: str
    phase: str
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    rows_written: int
    eta_s: int | None = None
    v: Literal[1] = 1


class ImportSummary(msgspec.Struct, frozen=True, kw_only=True):
    """``imported.json``: what an import that is done has covered.

    ``since`` None: from the beginning on. ``cache_id`` is None when there was nothing to write.
    """

    files: int
    cache_id: str | None
    since: str | None
    until: str
    v: Literal[1] = 1


Record = TypeVar("Record", RunRecord, PidRecord, RunResult, ImportProgress, ImportSummary)


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """Return the record in a file, or None when there is none that can be used."""
    raw = read_if_present(path)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def write_record(path: Path, record: RunRecord | PidRecord | RunResult | ImportSummary) -> None:
    """Put a record on disk; durable on return."""
    write_atomic(path, msgspec.json.encode(record) + b"\n")
