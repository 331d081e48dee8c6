"""Owns the export to one sink: starts it when there is news, finds it again, and ends it.

An export is a child of its own: it reads the table, which this process never does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypactors.actors._export_moment import Outlook, wait_until_next_s
from hypactors.actors._lone_child import LoneChild
from hypactors.actors._names import forward_name
from hypactors.central import CENTRAL_PLUGIN
from hypactors.forward import cache_stamp, read_first_sync_hold, read_sink_status
from hypactors.messages import (
    ConfigChanged,
    DescribeRun,
    DrainRequested,
    ExportRequested,
    ImportEnded,
    SinkChanged,
    StopImport,
)
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from hypactors.actors._lone_child import Nursery
    from hypactors.central import CentralSink
    from hypactors.supervision import ChildContext, Timer, Timers


@dataclass(frozen=True, slots=True)
class _Due:
    """The schedule, or the end of a hold, has come."""

    armed: int


class ForwardRunner(SupervisedActor):
    """At most one export to its sink at a time, across restarts of daemon and runner."""

    def __init__(
        self,
        context: ChildContext,
        *,
        sink: CentralSink,
        nursery: Nursery,
        timers: Timers,
        random: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._name = forward_name(sink.name)
        self._sink = sink
        self._home = nursery.home
        self._directory = nursery.directory
        self._clock = nursery.clock
        self._timers = timers
        self._random = random
        self._log = log.bind(actor=self._name, sink=sink.name)
        self._child = LoneChild(self._name, self._home.sink_runs(sink.name), nursery, self._log)
        self._is_wanted_again = False
        self._is_leaving = False
        self._is_draining = False
        self._failures = 0
        self._failed_at = 0.0
        self._timer: Timer | None = None
        self._armed = 0

    def setup(self) -> None:
        adopted = self._child.adopt()
        if adopted is not None:
            self._log.info("export_adopted", run_id=adopted)
        self._arm()
        self._export_if_due()

    def receive(self, message: Any) -> Any:
        match message:
            case ExportRequested():
                self._export_if_due()
            case _Due(armed=armed):
                if armed == self._armed:
                    self._export_if_due()
                    self._arm()
            case ImportEnded(run_id=run_id):
                self._ended(run_id)
            case SinkChanged(sink=sink):
                self._sink_changed(sink)
            case StopImport(at_once=at_once):
                self._child.stop(at_once=at_once)
            case DrainRequested():
                self._is_draining = True
                self._child.stop()
            case DescribeRun() | ConfigChanged():
                return None
            case _:
                return super().receive(message)
        return None

    def teardown(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # When

    def _arm(self) -> None:
        """Wait for the next occasion that the schedule gives."""
        if self._timer is not None:
            self._timer.cancel()
        self._armed += 1
        now = self._clock.now()
        hold = read_first_sync_hold(self._home, now)
        delay_s = wait_until_next_s(self._sink.schedule, hold, now, self._random())
        armed = self._armed
        self._timer = self._timers.call_later(
            delay_s, lambda: self._directory.tell(self._name, _Due(armed))
        )

    def _export_if_due(self) -> None:
        if self._is_draining or self._is_leaving:
            return
        if self._child.is_running:
            self._is_wanted_again = True
            return
        outlook = Outlook(
            fleet=self._sink.fleet,
            stamp=cache_stamp(self._home),
            status=read_sink_status(self._home, self._sink.name),
            hold=read_first_sync_hold(self._home, self._clock.now()),
            is_enrolled=self._sink.identity_path.exists(),
            failures=self._failures,
            since_failure_s=self._timers.monotonic() - self._failed_at,
        )
        if outlook.is_due(self._random()):
            self._start()

    # Starting one

    def _start(self) -> None:
        try:
            self._child.start(
                "forward", self._sink.name, "--json",
                plugin=CENTRAL_PLUGIN, request_key=self._sink.name,
                attempt=self._failures + 1, reason="news",
            )  # fmt: skip
        except OSError as error:  # a full disk, perhaps
            self._log.error("export_not_started", detail=str(error))
            self._note_failure()

    # Ending one

    def _ended(self, run_id: str) -> None:
        over = self._child.over(run_id)
        if over is None:
            return
        told = over.told()
        if over.is_good:
            self._failures = 0
            self._log.info(
                "central.forward.finished",
                run_id=run_id,
                **{key: told[key] for key in _TOLD if key in told},
            )
        else:
            self._note_failure()
            self._log.warning(
                "central.forward.failed",
                run_id=run_id,
                detail=told.get("error") or over.stderr,
                consecutive_failures=self._failures,
            )
        if self._is_leaving:
            self.stop()
        elif self._is_wanted_again or told.get("status") == "held":
            self._is_wanted_again = False
            self._export_if_due()

    def _note_failure(self) -> None:
        self._failures += 1
        self._failed_at = self._timers.monotonic()

    # The config

    def _sink_changed(self, sink: CentralSink | None) -> None:
        """Go over to another sink of that name; leave when there is none any more."""
        self._is_leaving = sink is None
        if sink is None:
            if self._child.is_running:
                self._child.stop()
            else:
                self.stop()
        elif sink != self._sink:
            if sink.fleet != self._sink.fleet:
                self._child.stop()  # it sends to the fleet of before
            self._sink = sink
            self._failures = 0
            self._arm()
            self._export_if_due()


_TOLD = ("status", "rows", "bytes", "batches", "withheld", "set_aside", "stopped")
