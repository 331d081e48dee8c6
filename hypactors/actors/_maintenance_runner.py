"""Owns the upkeep of the cache: starts it now and then, and never while there is no need.

A child as an export is: recorded before it starts, under a lock that it inherits, and watched.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
from hypactors.processes import FileLock, ProviderRuns, RunFolder, inspect, kill, launch, terminate
from hypactors.supervision import ChildSpec, SupervisedActor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psutil
    from structlog.typing import FilteringBoundLogger

    from hypactors.actors._system_context import SystemContext
    from hypactors.supervision import ChildContext, Directory, Timer, Timers

FIRST_S = 900.0
"""A machine that was just started has better things to do."""

_LEAST_INTERVAL_S = 60.0
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the runner shares with the tree. ``on_busy`` must not block."""

    shared: SystemContext
    directory: Directory
    timers: Timers
    environ: Mapping[str, str]
    on_busy: Callable[[str, bool], object]


def maintenance_spec(around: Surroundings) -> ChildSpec:
    return ChildSpec(MAINTENANCE, lambda context: MaintenanceRunner.start(context, around=around))


class MaintenanceRunner(SupervisedActor):
    """At most one upkeep at a time, across restarts of daemon and runner."""

    def __init__(self, context: ChildContext, *, around: Surroundings) -> None:
        super().__init__(context)
        shared = around.shared
        self._around = around
        self._home = shared.home
        self._log: FilteringBoundLogger = shared.log.bind(actor=MAINTENANCE)
        self._runs = ProviderRuns(shared.home, MAINTENANCE, shared.home.maintenance_runs)
        self._running: RunFolder | None = None
        self._interval_s: float | None = None
        self._timer: Timer | None = None
        self._is_draining = False
        self._done_stamp: str | None = None
        self._done_at_s = 0.0

    def setup(self) -> None:
        self._around.on_busy(MAINTENANCE, False)
        self._runs.sweep()
        for folder in self._runs.unsettled():
            if inspect(folder).is_over or self._running is not None:
                self._runs.settle(folder, "interrupted", self._around.shared.clock.now())
            else:
                self._follow(folder, None)
        self._around.directory.tell(CONFIG_CONTROL, ConfigWanted(MAINTENANCE))

    def receive(self, message: Any) -> Any:
        match message:
            case MaintenanceDue():
                self._arm(self._interval_s)
                self._start_if_due()
            case ConfigChanged(layers=layers):
                self._take_interval(maintenance_interval_s(layers.local))
            case ImportEnded(run_id=run_id):
                if self._running is not None and self._running.run_id == run_id:
                    self._ended(self._running)
            case StopImport(at_once=at_once):
                if self._running is not None:
                    (kill if at_once else terminate)(self._running)
            case DrainRequested():
                self._is_draining = True
                if self._running is not None:
                    terminate(self._running)  # whatever it has not done, the next does
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
            directory = self._around.directory
            self._timer = self._around.timers.call_later(
                max(delay_s, _LEAST_INTERVAL_S),
                lambda: directory.tell(MAINTENANCE, MaintenanceDue()),
            )

    def _start_if_due(self) -> None:
        """Start it when there is a cache that has changed, or once a day: rows grow old."""
        stamp = cache_stamp(self._home)
        age_s = self._around.timers.monotonic() - self._done_at_s
        is_same = stamp == self._done_stamp and age_s < _DAY_S
        if stamp is None or is_same or self._is_draining or self._running is not None:
            return
        try:
            lock = FileLock.try_take(self._home.maintenance_runs / "lock")
            if lock is None:
                return  # somebody does it by hand
            with lock:
                self._spawn(lock)
        except OSError as error:  # a full disk, perhaps
            self._log.error("maintenance_not_started", detail=str(error))

    def _spawn(self, lock: FileLock) -> None:
        shared = self._around.shared
        folder = self._runs.new_run(
            plugin="",
            request_key=MAINTENANCE,
            argv=[sys.executable, "-P", "-m", "hypactors", "maintain", "--json"],
            since=None,
            attempt=1,
            reason="schedule",
            daemon_run_id=shared.daemon_run_id,
            now=shared.clock.now(),
            token=shared.new_token(),
        )
        record = folder.record()
        assert record is not None  # noqa: S101 - just written
        process = launch(
            folder,
            record,
            environ=self._around.environ,
            lock=lock,
            nice=shared.settings.import_nice,
        )
        self._follow(folder, process)

    def _follow(self, folder: RunFolder, process: psutil.Popen | None) -> None:
        self._running = folder
        self._around.on_busy(MAINTENANCE, True)
        directory = self._around.directory
        self._around.shared.watch.watch(
            folder, process, lambda run_id: directory.tell(MAINTENANCE, ImportEnded(run_id))
        )

    def _ended(self, folder: RunFolder) -> None:
        kill(folder)
        result = folder.result()
        is_good = result is not None and result.exit_code == 0
        if is_good:
            # Its own commits are no reason to do it again.
            self._done_stamp = cache_stamp(self._home)
            self._done_at_s = self._around.timers.monotonic()
            self._log.info("maintenance_finished", run_id=folder.run_id)
        else:
            self._log.warning(
                "maintenance_failed",
                run_id=folder.run_id,
                detail=folder.stderr_tail(2000).strip(),
            )
        try:
            self._runs.settle(folder, "done" if is_good else "failed", self._now())
            self._runs.prune()
        except OSError as error:
            self._log.error("run_not_settled", run_id=folder.run_id, detail=str(error))
        self._running = None
        self._around.on_busy(MAINTENANCE, False)

    def _now(self) -> Any:
        return self._around.shared.clock.now()
