"""What the supervisor does, in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.actors._names import SUPERVISOR
from hypactors.supervision import (
    ChildCrashed,
    ChildLeftBehind,
    ChildResponsive,
    ChildStarted,
    ChildUnresponsive,
    RestartScheduled,
    SupervisorGaveUp,
)

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from hypactors.supervision import SupervisionEvent


def log_supervision(logger: FilteringBoundLogger, event: SupervisionEvent) -> None:
    """Log what is out of the ordinary; starts and stops as they were asked for are not."""
    log = logger.bind(actor=SUPERVISOR)
    match event:
        case ChildStarted(name=name, restarts=restarts) if restarts:
            log.info("actor_restarted", child=name, restarts=restarts)
        case ChildCrashed(name=name, error=error):
            log.error("actor_crashed", child=name, detail=repr(error), traceback=_trace(error))
        case RestartScheduled(name=name, delay_s=delay_s):
            log.info("actor_restart_scheduled", child=name, delay_s=round(delay_s, 3))
        case ChildLeftBehind(name=name, shutdown_s=shutdown_s):
            log.error("actor_left_behind", child=name, shutdown_s=shutdown_s)
        case ChildUnresponsive(name=name, silent_s=silent_s):
            log.error("actor_unresponsive", child=name, silent_s=silent_s)
        case ChildResponsive(name=name):
            log.info("actor_responsive", child=name)
        case SupervisorGaveUp(child=name, error=error):
            log.critical("supervisor_gave_up", child=name, detail=repr(error))
        case _:
            pass


def _trace(error: BaseException) -> str:
    import traceback  # noqa: PLC0415 - costs a daemon that never crashes nothing

    return "".join(traceback.format_exception(error))
