"""Owns the upkeep of the cache: starts it now and then, and never while there is no need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypactors.actors._lone_child import LoneChild
from hypactors.actors._names import CONFIG_CONTROL, MAINTENANCE
from hypactors.config import maintenance_interval_s
from hypactors.forward import cache_stamp
from hypactors.messages import (
    ConfigChanged,
    ConfigWanted,
    DescribeRun,
    DrainRequested,
    ImportEnded,
    MaintenanceDue,
    StopImport,
)
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from hypactors.actors._lone_child import Nursery
    from hypactors.supervision import ChildContext, Timer, Timers

FIRST_S = 900.0
"""A machine that was just started has better things to do."""

_LEAST_INTERVAL_S = 60.0
_DAY_S = 86_400.0


class MaintenanceRunner(SupervisedActor):
    """Starts ``hyp maintain`` at the config's interval, when the cache has changed or grown old."""

    def __init__(
        self,
        context: ChildContext,
        *,
        nursery: Nursery,
        timers: Timers,
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._home = nursery.home
        self._directory = nursery.directory
        self._timers = timers
        self._log = log.bind(actor=MAINTENANCE)
        self._child = LoneChild(MAINTENANCE, self._home.maintenance_runs, nursery, self._log)
        self._interval_s: float | None = None
        self._timer: Timer | None = None
        self._is_draining = False
        self._done_stamp: str | None = None
        self._done_at_s = 0.0

    def setup(self) -> None:
        self._child.adopt()
        self._directory.tell(CONFIG_CONTROL, ConfigWanted(MAINTENANCE))

    def receive(self, message: Any) -> Any:
        match message:
            case MaintenanceDue():
                self._arm(self._interval_s)
                self._start_if_due()
            case ConfigChanged(layers=layers):
                self._take_interval(maintenance_interval_s(layers.local))
            case ImportEnded(run_id=run_id):
                self._ended(run_id)
            case StopImport(at_once=at_once):
                self._child.stop(at_once=at_once)
            case DrainRequested():
                self._is_draining = True
                self._child.stop()
            case DescribeRun():
                return None
            case _:
                return super().receive(message)
        return None

    def teardown(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _take_interval(self, interval_s: float | None) -> None:
        before, self._interval_s = self._interval_s, interval_s
        if interval_s is None or before is None:
            self._arm(None if interval_s is None else FIRST_S)
        elif interval_s != before:
            self._arm(interval_s)

    def _arm(self, delay_s: float | None) -> None:
        """Wait for the next occasion; None: there is none, the config says so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay_s is not None:
            self._timer = self._timers.call_later(
                max(delay_s, _LEAST_INTERVAL_S),
                lambda: self._directory.tell(MAINTENANCE, MaintenanceDue()),
            )

    def _start_if_due(self) -> None:
        """Start it when there is a cache that has changed, or once a day: rows grow old."""
        stamp = cache_stamp(self._home)
        age_s = self._timers.monotonic() - self._done_at_s
        is_same = stamp == self._done_stamp and age_s < _DAY_S
        if stamp is None or is_same or self._is_draining or self._child.is_running:
            return
        try:
            self._child.start(
                "maintain", "--json",
                plugin="", request_key=MAINTENANCE, attempt=1, reason="schedule",
            )  # fmt: skip
        except OSError as error:  # a full disk, perhaps
            self._log.error("maintenance_not_started", detail=str(error))

    def _ended(self, run_id: str) -> None:
        over = self._child.over(run_id)
        if over is None:
            return
        if not over.is_good:
            self._log.warning("maintenance_failed", run_id=run_id, detail=over.stderr)
            return
        # Its own commits are no reason to do it again.
        self._done_stamp = cache_stamp(self._home)
        self._done_at_s = self._timers.monotonic()
        self._log.info("maintenance_finished", run_id=run_id, **over.told())
