"""Owns the import of one provider: starts it, finds it again, and tells how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypactors.actions import (
    backfill_argv,
    enabled_providers,
    runner_name,
    since_for,
)
from hypactors.actors._limit_guard import LimitGuard
from hypactors.actors._names import RECONCILER
from hypactors.actors._run_outcome import is_memory_bound, outcome_of, spawn_failed
from hypactors.actors._runner_states import (
    GraceIsOver,
    LookAtImport,
    Reporting,
    Running,
    StopReporting,
    TryAgain,
    Waiting,
    describe,
)
from hypactors.messages import (
    ActionFinished,
    ActionInterrupted,
    ConfigChanged,
    DescribeRun,
    DrainRequested,
    ImportEnded,
    Outcome,
    OutcomeRecorded,
    Perform,
    ReconcilerReady,
    RunnerReady,
    StopImport,
)
from hypactors.processes import (
    WORKERS_VARIABLE,
    FileLock,
    ProviderRuns,
    RunFolder,
    RunState,
    inspect,
    kill,
    launch,
    terminate,
)
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psutil
    from structlog.typing import FilteringBoundLogger

    from hypactors.actions import ProviderRef
    from hypactors.actors._limit_guard import LimitSettings
    from hypactors.actors._runner_states import State
    from hypactors.clock import Clock
    from hypactors.config import Layers
    from hypactors.paths import HypHome
    from hypactors.processes import ImportSlots, RunRecord, RunWatch
    from hypactors.supervision import ChildContext, Directory, Timers

LOCK_RETRY_S = 2.0
"""How often a runner looks whether a manual import has given the lock back."""

WAITS_FOR_SLOT = "other imports to end"
WAITS_FOR_LOCK = "an import by hand to end"

REPORT_BUDGET_S = 5.0
"""How long a daemon that stops waits for an outcome to be recorded: a full disk may prevent it."""


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """How imports are started. ``command`` is what ``backfill <provider> …`` is appended to."""

    command: tuple[str, ...]
    environ: Mapping[str, str]
    nice: int
    limits: LimitSettings


class BackfillRunner(SupervisedActor):
    """At most one import of its provider lives, whatever restarts in between.

    ``on_busy`` is called with whether an import is under way, or its outcome still to be recorded,
    at each change of state; it must not block.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        provider: ProviderRef,
        home: HypHome,
        settings: ImportSettings,
        directory: Directory,
        clock: Clock,
        timers: Timers,
        watch: RunWatch,
        slots: ImportSlots,
        new_token: Callable[[], str],
        daemon_run_id: str,
        on_busy: Callable[[str, bool], None],
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._name = runner_name(provider.name)
        self._provider = provider
        self._lock_path = home.import_lock(provider.name)
        self._runs = ProviderRuns(home, provider.name)
        self._settings = settings
        self._directory = directory
        self._clock = clock
        self._timers = timers
        self._watch = watch
        self._slots = slots
        self._new_token = new_token
        self._daemon_run_id = daemon_run_id
        self._on_busy = on_busy
        self._log = log.bind(actor=self._name, provider=provider.name)
        self._guard = LimitGuard(
            settings.limits, clock=clock, timers=timers, tell_self=self._tell_self, log=self._log
        )
        self._state: State = None
        self._leftovers: dict[RunFolder, str] = {}
        self._is_draining = False
        self._is_leaving = False

    def setup(self) -> None:
        """Take up what an earlier life, of ours or of the daemon, has left under way.

        The slot of that life is given back only when nothing is: somebody may wait for it.
        """
        self._runs.sweep()
        found = [(folder, inspect(folder)) for folder in self._runs.unsettled()]
        is_any_live = any(not state.is_over for _, state in found)
        for folder, state in found:
            if is_any_live and state.is_over:
                # No import starts before the one before it is settled, so this one was cut off
                # before it began: told now, it would come after its successor.
                self._settle(folder, "superseded")
            else:
                self._take_up(folder, state)
        self._enter(self._state)
        self._directory.tell(RECONCILER, RunnerReady(self._name))

    def teardown(self) -> None:
        self._guard.end()

    def receive(self, message: Any) -> Any:  # noqa: C901, PLR0912 - one case a message
        match message:
            case Perform():
                self._perform(message)
            case TryAgain(waiting=waiting):
                if self._state is waiting:
                    self._start(waiting.perform)
            case LookAtImport(run_id=run_id):
                if isinstance(self._state, Running) and self._state.folder.run_id == run_id:
                    self._state = self._guard.look(self._state)
            case GraceIsOver(run_id=run_id):
                if isinstance(self._state, Running) and self._state.folder.run_id == run_id:
                    self._guard.grace_is_over(self._state)
            case StopReporting(reporting=reporting):
                if self._state is reporting:
                    self._log.warning("outcome_left_for_next_start", run_id=reporting.run_id)
                    self._enter(None)
            case ReconcilerReady():
                if isinstance(self._state, Reporting):
                    self._directory.tell(RECONCILER, self._state.finished)
            case ImportEnded(run_id=run_id):
                if isinstance(self._state, Running) and self._state.folder.run_id == run_id:
                    self._import_ended(self._state)
            case OutcomeRecorded():
                self._outcome_recorded(message)
            case ConfigChanged(layers=layers):
                self._config_changed(layers)
            case DescribeRun():
                return describe(self._state, self._provider.name)
            case StopImport(at_once=at_once):
                if isinstance(self._state, Running):
                    self._log.info(
                        "import_stop_requested", run_id=self._state.folder.run_id, at_once=at_once
                    )
                    (kill if at_once else terminate)(self._state.folder)
            case DrainRequested():
                self._is_draining = True
                if isinstance(self._state, Waiting):
                    self._enter(None)
                self._bound_reporting()
            case _:
                return super().receive(message)
        return None

    # Taking up a run that is there already

    def _take_up(self, folder: RunFolder, state: RunState) -> None:
        record = folder.record()
        assert record is not None  # noqa: S101 - unsettled() returns runs with a record
        if state.is_over:
            self._import_ended(Running(folder, record))
        else:
            self._log.info("import_adopted", run_id=folder.run_id)
            self._follow(Running(folder, record), None)

    # Starting one

    def _perform(self, perform: Perform) -> None:
        match self._state:
            case Reporting(finished=finished):
                self._directory.tell(RECONCILER, finished)
            case None if not self._is_draining:
                self._start(perform)
            case _:
                pass  # it is what was asked for, or it will be asked for again

    def _start(self, perform: Perform) -> None:
        """Start the import, once there is a slot for it and nobody imports by hand."""
        waiting = Waiting(perform, WAITS_FOR_SLOT)
        if not self._slots.take(self._name, lambda: self._tell_self(TryAgain(waiting))):
            self._wait(waiting)
            return
        try:
            self._settle_leftovers()
            lock = FileLock.try_take(self._lock_path)
            if lock is None:
                self._wait_for_lock(perform)
                return
            with lock:
                self._spawn(perform, lock)
        except OSError as error:  # a full disk, perhaps: there is not even a run to speak of
            run_id = f"unrecorded-{self._new_token()}"
            self._log.error("import_not_started", run_id=run_id, detail=str(error))
            self._enter(None)
            outcome = spawn_failed(error)
            self._directory.tell(
                RECONCILER, self._finished(perform.action.request_key, outcome, run_id)
            )

    def _wait_for_lock(self, perform: Perform) -> None:
        self._slots.give_back(self._name)  # somebody else may need it less patiently
        waiting = Waiting(perform, WAITS_FOR_LOCK)
        self._wait(waiting)
        self._timers.call_later(LOCK_RETRY_S, lambda: self._tell_self(TryAgain(waiting)))

    def _wait(self, waiting: Waiting) -> None:
        if not isinstance(self._state, Waiting) or self._state.reason != waiting.reason:
            self._log.info("import_waits", waits_for=waiting.reason)
        self._enter(waiting)

    def _tell_self(self, message: object) -> None:
        self._directory.tell(self._name, message)

    def _spawn(self, perform: Perform, lock: FileLock) -> None:
        """Record a run, then start it; the lock is inherited."""
        now = self._clock.now()
        params = perform.action.params
        since = params.get("since") or since_for(params.get("windowDays"), now)
        folder = self._runs.new_run(
            plugin=self._provider.plugin,
            request_key=perform.action.request_key,
            argv=[
                *self._settings.command,
                *backfill_argv(self._provider.name, since, params.get("until")),
            ],
            since=since,
            attempt=perform.attempt,
            reason=perform.reason,
            daemon_run_id=self._daemon_run_id,
            now=now,
            token=self._new_token(),
        )
        record = folder.record()
        assert record is not None  # noqa: S101 - just written
        self._log.info(
            "client_action.backfill_spawn",
            hyp_plugin=self._provider.plugin,
            run_id=folder.run_id,
            since=since,
            pass_id=perform.pass_id,
        )
        try:
            process = launch(
                folder,
                record,
                environ=self._environ_for_next(),
                lock=lock,
                nice=self._settings.nice,
            )
        except OSError as error:
            self._report(folder, record, spawn_failed(error))
            return
        self._follow(Running(folder, record), process)

    def _environ_for_next(self) -> Mapping[str, str]:
        """Return the environment of an import; after one that took too much memory it is frugal."""
        earlier = next((run.record() for run in self._runs.runs()[1:]), None)
        if earlier is None or not is_memory_bound(earlier):
            return self._settings.environ
        return {**self._settings.environ, WORKERS_VARIABLE: "1"}

    def _follow(self, running: Running, process: psutil.Popen | None) -> None:
        self._slots.occupy(self._name)
        self._enter(running)
        self._guard.begin(running)
        directory, name = self._directory, self._name

        def tell_it_ended(run_id: str) -> None:
            directory.tell(name, ImportEnded(run_id))

        self._watch.watch(running.folder, process, tell_it_ended)

    # Ending one

    def _import_ended(self, running: Running) -> None:
        folder, record = running.folder, running.folder.record() or running.record
        outcome = outcome_of(folder, record)
        kill(folder)  # what outlived it would keep the lock, and so the next import out
        if outcome is not None:
            self._report(folder, record, outcome)
            return
        self._log.warning("import_interrupted", run_id=folder.run_id)
        self._settle(folder, "interrupted")
        self._enter(None)
        self._directory.tell(
            RECONCILER,
            ActionInterrupted(self._name, "backfill", record.request_key, folder.run_id),
        )

    def _report(self, folder: RunFolder, record: RunRecord, outcome: Outcome) -> None:
        """Tell the outcome until the store has it on disk; only then is the run settled."""
        finished = self._finished(record.request_key, outcome, folder.run_id)
        self._enter(Reporting(folder, finished))
        self._directory.tell(RECONCILER, finished)
        self._bound_reporting()

    def _bound_reporting(self) -> None:
        if self._is_draining and isinstance(self._state, Reporting):
            message = StopReporting(self._state)
            self._timers.call_later(
                REPORT_BUDGET_S, lambda: self._directory.tell(self._name, message)
            )

    def _finished(self, request_key: str, outcome: Outcome, run_id: str) -> ActionFinished:
        return ActionFinished(self._name, "backfill", request_key, outcome, run_id)

    def _outcome_recorded(self, recorded: OutcomeRecorded) -> None:
        match self._state:
            case Reporting(folder=folder) if folder.run_id == recorded.recorded.run_id:
                self._settle(folder, recorded.recorded.outcome.status)
                self._runs.prune()
                self._enter(None)

    def _settle(self, folder: RunFolder, outcome: str) -> None:
        self._leftovers[folder] = outcome
        try:
            self._settle_leftovers()
        except OSError as error:
            self._log.error("run_not_settled", run_id=folder.run_id, detail=str(error))

    def _settle_leftovers(self) -> None:
        """Settle what is over, also what a full disk kept from being settled before."""
        for folder, outcome in list(self._leftovers.items()):
            self._runs.settle(folder, outcome, self._clock.now())
            del self._leftovers[folder]

    def _config_changed(self, layers: Layers) -> None:
        """Leave once idle when the config has no use for this provider any more (contract §7)."""
        if layers.effective is None:  # cannot tell
            return
        self._is_leaving = not enabled_providers(layers.effective, [self._provider])
        if isinstance(self._state, Waiting) and self._is_leaving:
            self._state = None
        self._enter(self._state)

    def _enter(self, state: State) -> None:
        self._state = state
        if not isinstance(state, Running):
            self._guard.end()
            if not isinstance(state, Waiting):
                self._slots.give_back(self._name)
        self._on_busy(self._name, isinstance(state, Running | Reporting))
        if state is None and self._is_leaving:
            self.stop()
