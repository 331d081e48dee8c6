"""How a run came out, read from what it left in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.actions import read_import_result, read_orphan_result
from hypactors.errors import ImportRunError
from hypactors.messages import Outcome, OutcomeStatus

if TYPE_CHECKING:
    from hypactors.processes import RunFolder

TERMINATED_EXIT = 143
"""What a process that ends in order after SIGTERM exits with: 128 + 15."""


def spawn_failed(error: OSError) -> Outcome:
    return read_import_result(None, b"", "", signal=None, launch_error=str(error))


def outcome_of(folder: RunFolder) -> Outcome | None:
    """Read how an ended run came out; None when it was interrupted (contract §5.2)."""
    result = folder.result()
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
