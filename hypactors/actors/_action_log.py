"""One log line for each transition of an action (client-actions §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.messages import OutcomeStatus

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from hypactors.messages import OutcomeRecorded


def log_outcome(log: FilteringBoundLogger, recorded: OutcomeRecorded) -> None:
    """Say what a unit has become, now that it is on disk."""
    message = recorded.recorded
    outcome = message.outcome
    log = log.bind(kind=message.kind, request_key=message.request_key, run_id=message.run_id)
    match outcome.status, message.undone:
        case OutcomeStatus.DONE, False:
            log.info("client_action.done", rows=outcome.rows)
        case OutcomeStatus.DONE, True:
            log.info("client_action.reversed")
        case _, True:
            log.error(
                "client_action.reverse_failed",
                detail=outcome.reason,
                error_kind="action_reverse_failed",
            )
        case OutcomeStatus.REFUSED, _:
            log.error("client_action.refused", detail=outcome.reason, error_kind="action_refused")
        case _:
            log.error(
                "client_action.failed",
                attempts=recorded.attempts,
                detail=outcome.reason,
                error_kind="action_perform_failed",
            )
