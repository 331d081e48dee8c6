"""Owns the export to one sink: starts it when there is news, finds it again, and ends it.

An export is a child like an import: recorded before it starts, under a lock that it inherits, and
watched to its end. It reads the table, which this process never does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.actors._export_moment import Outlook, wait_until_next_s
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
from hypactors.processes import (
    FileLock,
    ProviderRuns,
    RunFolder,
    inspect,
    kill,
    launch,
    terminate,
)
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import psutil
    from structlog.typing import FilteringBoundLogger

    from hypactors.central import CentralSink
    from hypactors.clock import Clock
    from hypactors.paths import HypHome
    from hypactors.processes import RunWatch
    from hypactors.supervision import ChildContext, Directory, Timer, Timers


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """How an export is started: the command before the name of the sink, and its environment."""

    command: Sequence[str]
    environ: Mapping[str, str]
    nice: int


@dataclass(frozen=True, slots=True)
class _Due:
    """The schedule, or the end of a hold, has come."""

    armed: int


class ForwardRunner(SupervisedActor):
    """At most one export to its sink at a time, across restarts of daemon and runner.

    ``on_busy`` is called with the name and whether an export runs, each time that changes.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        sink: CentralSink,
        home: HypHome,
        settings: ExportSettings,
        directory: Directory,
        clock: Clock,
        timers: Timers,
        random: Callable[[], float],
        watch: RunWatch,
        new_token: Callable[[], str],
        daemon_run_id: str,
        on_busy: Callable[[str, bool], object],
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._name = forward_name(sink.name)
        self._sink = sink
        self._home = home
        self._settings = settings
        self._directory = directory
        self._clock = clock
        self._timers = timers
        self._random = random
        self._watch = watch
        self._new_token = new_token
        self._daemon_run_id = daemon_run_id
        self._on_busy = on_busy
        self._log = log.bind(actor=self._name, sink=sink.name)
        self._runs = ProviderRuns(home, self._name, home.sink_runs(sink.name))
        self._running: RunFolder | None = None
        self._is_wanted_again = False
        self._is_leaving = False
        self._is_draining = False
        self._failures = 0
        self._failed_at = 0.0
        self._timer: Timer | None = None
        self._armed = 0

    def setup(self) -> None:
        self._on_busy(self._name, False)
        self._runs.sweep()
        for folder in self._runs.unsettled():
            if inspect(folder).is_over or self._running is not None:
                self._runs.settle(folder, "interrupted", self._clock.now())
            else:
                self._log.info("export_adopted", run_id=folder.run_id)
                self._follow(folder, None)
        self._arm()
        self._export_if_due()

    def receive(self, message: Any) -> Any:  # noqa: C901 - one case a message
        match message:
            case ExportRequested():
                self._export_if_due()
            case _Due(armed=armed):
                if armed == self._armed:
                    self._export_if_due()
                    self._arm()
            case ImportEnded(run_id=run_id):
                if self._running is not None and self._running.run_id == run_id:
                    self._ended(self._running)
            case SinkChanged(sink=sink):
                self._sink_changed(sink)
            case StopImport(at_once=at_once):
                if self._running is not None:
                    (kill if at_once else terminate)(self._running)
            case DrainRequested():
                self._is_draining = True
                if self._running is not None:
                    terminate(self._running)  # it goes on where it was, another time
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
        if self._running is not None:
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
            lock = FileLock.try_take(self._home.sink_runs(self._sink.name) / "lock")
            if lock is None:
                return  # somebody sends by hand; the next occasion comes
            with lock:
                self._spawn(lock)
        except OSError as error:  # a full disk, perhaps
            self._log.error("export_not_started", detail=str(error))
            self._note_failure()

    def _spawn(self, lock: FileLock) -> None:
        folder = self._runs.new_run(
            plugin=CENTRAL_PLUGIN,
            request_key=self._sink.name,
            argv=[*self._settings.command, "forward", self._sink.name, "--json"],
            since=None,
            attempt=self._failures + 1,
            reason="news",
            daemon_run_id=self._daemon_run_id,
            now=self._clock.now(),
            token=self._new_token(),
        )
        record = folder.record()
        assert record is not None  # noqa: S101 - just written
        process = launch(
            folder,
            record,
            environ=self._settings.environ,
            lock=lock,
            nice=self._settings.nice,
        )
        self._follow(folder, process)

    def _follow(self, folder: RunFolder, process: psutil.Popen | None) -> None:
        self._running = folder
        self._on_busy(self._name, True)
        directory, name = self._directory, self._name
        self._watch.watch(folder, process, lambda run_id: directory.tell(name, ImportEnded(run_id)))

    # Ending one

    def _ended(self, folder: RunFolder) -> None:
        kill(folder)  # what outlived it would keep the lock
        result = folder.result()
        is_good = result is not None and result.exit_code == 0
        outcome = "done" if is_good else "failed" if result is not None else "interrupted"
        told = _document(folder)
        if is_good:
            self._failures = 0
            self._log.info(
                "central.forward.finished",
                run_id=folder.run_id,
                **{key: told[key] for key in _TOLD if key in told},
            )
        else:
            self._note_failure()
            self._log.warning(
                "central.forward.failed",
                run_id=folder.run_id,
                detail=told.get("error") or folder.stderr_tail(2000).strip(),
                consecutive_failures=self._failures,
            )
        try:
            self._runs.settle(folder, outcome, self._clock.now())
            self._runs.prune()
        except OSError as error:
            self._log.error("run_not_settled", run_id=folder.run_id, detail=str(error))
        self._running = None
        self._on_busy(self._name, False)
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
            if self._running is None:
                self.stop()
            else:
                terminate(self._running)
        elif sink != self._sink:
            if self._running is not None and sink.fleet != self._sink.fleet:
                terminate(self._running)  # it sends to the fleet of before
            self._sink = sink
            self._failures = 0
            self._arm()
            self._export_if_due()


_TOLD = ("status", "rows", "bytes", "batches", "withheld", "set_aside", "stopped")


def _document(folder: RunFolder) -> dict[str, Any]:
    """Return what the export said of itself, as far as it did."""
    try:
        told: Any = msgspec.json.decode(folder.stdout_bytes(limit=1 << 20))
    except Exception:  # noqa: BLE001 - whatever it printed, it is over
        return {}
    return told if isinstance(told, dict) else {}
