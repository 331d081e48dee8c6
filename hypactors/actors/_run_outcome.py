"""How a run came out, read from what it left in its folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypactors.actions import read_import_result, read_orphan_result
from hypactors.clock import parse_iso
from hypactors.errors import ImportRunError
from hypactors.messages import Outcome, OutcomeStatus
from hypactors.processes import MEMORY_LIMIT, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.processes import RunFolder, RunRecord, RunResult

TERMINATED_EXIT = 143
"""What a process that ends in order after SIGTERM exits with: 128 + 15."""


def spawn_failed(error: OSError) -> Outcome:
    return read_import_result(None, b"", "", signal=None, launch_error=str(error))


def is_memory_bound(record: RunRecord) -> bool:
    """Say whether a run was ended as it took too much memory (contract §5.6)."""
    return (record.stopped_for or "").startswith(MEMORY_LIMIT)


def outcome_of(folder: RunFolder, record: RunRecord) -> Outcome | None:
    """Read how an ended run came out; None when it was interrupted (contract §5.2)."""
    result = folder.result()
    outcome = _read(folder, record, result)
    if outcome is None:
        return None
    if outcome.status is not OutcomeStatus.FAILED:
        return replace(outcome, detail={**outcome.detail, **_covered(folder)})
    took = "" if result is None else f"after {_duration(result)}, "
    return replace(outcome, reason=f"{outcome.reason} ({took}run {folder.run_id})")


def _covered(folder: RunFolder) -> Mapping[str, object]:
    """Return what the marker keeps of an import that is done; another client's tells nothing."""
    summary = folder.imported()
    if summary is None:
        return {}
    detail: dict[str, object] = {
        "files": summary.files,
        "covered": {"since": summary.since, "until": summary.until},
    }
    return detail if summary.cache_id is None else {**detail, "cache_id": summary.cache_id}


def _read(folder: RunFolder, record: RunRecord, result: RunResult | None) -> Outcome | None:
    if record.stopped_for is not None and (result is None or result.exit_code != 0):
        return Outcome(OutcomeStatus.FAILED, reason=record.stopped_for)
    try:
        stdout = folder.stdout_bytes()
    except ImportRunError as error:
        return Outcome(OutcomeStatus.FAILED, reason=str(error))
    if result is None:
        return read_orphan_result(stdout)
    if result.exit_code == TERMINATED_EXIT or result.signal == "SIGTERM":
        return None
    return read_import_result(
        result.exit_code,
        stdout,
        folder.stderr_tail(),
        signal=result.signal,
        launch_error=result.launch_error,
    )


def _duration(result: RunResult) -> str:
    try:
        took = parse_iso(result.ended_at) - parse_iso(result.started_at)
    except ValueError:
        return "some time"
    return in_words(max(0, round(took.total_seconds())))
