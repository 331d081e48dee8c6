"""What was imported and how it went: from the markers, and from the run folders that are kept."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING

import msgspec

from hypactors.actions import read_markers
from hypactors.processes import ProviderRuns

if TYPE_CHECKING:
    from hypactors.paths import HypHome
    from hypactors.processes import RunFolder


class ImportRun(msgspec.Struct, frozen=True):
    provider: str
    run_id: str
    started_at: str
    ended_at: str | None
    attempt: int
    outcome: str
    rows: int | None


class ImportMark(msgspec.Struct, frozen=True):
    """What is remembered for good of one import."""

    name: str
    status: str
    at: str | None
    rows: int | None
    files: int | None
    reason: str | None


class ImportHistory(msgspec.Struct, frozen=True):
    marks: Sequence[ImportMark]
    runs: Sequence[ImportRun]
    """Newest first."""


def read_history(home: HypHome) -> ImportHistory:
    """Read what the files say; what cannot be read is not there."""
    marks = [
        ImportMark(
            name=key,
            status=marker.status or "unknown",
            at=marker.at or marker.last_attempt,
            rows=marker.rows,
            files=marker.files,
            reason=marker.reason,
        )
        for key, marker in read_markers(home).book.bucket("backfill").items()
    ]
    runs = [run for folder in _run_folders(home) if (run := _run(folder)) is not None]
    return ImportHistory(marks, sorted(runs, key=lambda run: run.started_at, reverse=True))


def _run_folders(home: HypHome) -> list[RunFolder]:
    try:
        names = [entry.name for entry in home.runs_dir.iterdir() if entry.is_dir()]
        return [run for name in names for run in ProviderRuns(home, name).runs()]
    except OSError:
        return []


def _run(folder: RunFolder) -> ImportRun | None:
    record = folder.record()
    if record is None:
        return None
    result, progress = folder.result(), folder.progress()
    outcome = record.outcome
    if outcome is None:
        outcome = "running" if folder.is_live() else "ended" if result else "interrupted"
    return ImportRun(
        provider=record.provider,
        run_id=record.run_id,
        started_at=record.created_at,
        ended_at=result.ended_at if result else None,
        attempt=record.attempt,
        outcome=outcome,
        rows=progress.rows_written if progress else None,
    )
