"""The actor tree, built: who is started, in which order, with which collaborators."""

from __future__ import annotations

import hashlib
import platform
import sys
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError, Timeout

from hypactors.actions import (
    BackfillHandler,
    Machine,
    enabled_providers,
    import_environ,
    runner_name,
)
from hypactors.actors._backfill_runner import BackfillRunner, ImportSettings
from hypactors.actors._central_link import CentralLink
from hypactors.actors._config_control import ConfigControl
from hypactors.actors._control_endpoint import ControlEndpoint
from hypactors.actors._forward_runner import ForwardRunner
from hypactors.actors._limit_guard import LimitSettings
from hypactors.actors._lone_child import Nursery
from hypactors.actors._maintenance_runner import MaintenanceRunner
from hypactors.actors._marker_store import MarkerStore, RetryBounds
from hypactors.actors._names import (
    CENTRAL_LINK,
    CONFIG_CONTROL,
    CONTROL_ENDPOINT,
    MAINTENANCE,
    MARKER_STORE,
    RECONCILER,
    SUPERVISOR,
    forward_name,
)
from hypactors.actors._reconciler import Reconciler
from hypactors.actors._supervision_log import log_supervision
from hypactors.actors._system_context import (
    ConfigAdopted,
    RestartWanted,
    RunnersChanged,
    SystemContext,
    SystemEvent,
    TreeIsLost,
    TreeIsUp,
)
from hypactors.central import central_sinks
from hypactors.config import machine_lake
from hypactors.lake import cache_id
from hypactors.messages import (
    ConfigChanged,
    DescribeConfig,
    DescribeRun,
    DrainRequested,
    ExportRequested,
    RunnerMissed,
    SinkChanged,
)
from hypactors.processes import MIB, ImportLimits, ImportSlots, is_free
from hypactors.supervision import (
    ChildContext,
    ChildEnded,
    ChildSpec,
    ChildStopped,
    Directory,
    ListChildren,
    Restart,
    StartChild,
    StopChildren,
    Supervisor,
    ThreadTimers,
    TreeStarted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hypactors.actions import ProviderRef, Unit
    from hypactors.central import CentralSink
    from hypactors.config import Layers
    from hypactors.settings import Settings
    from hypactors.supervision import ChildStatus, Notice, SupervisionEvent

ASK_TIMEOUT_S = 2.0
"""How long the edge waits for one actor. Actors answer from memory, in microseconds."""


class System:
    """The running tree, from the edge: start it, ask it, drain it, stop it.

    ``post`` takes the events that the program waits for; it is called on any thread. Every method
    here belongs to the edge: none may be called by an actor.
    """

    def __init__(self, context: SystemContext, post: Callable[[SystemEvent], None]) -> None:
        self.directory = Directory()
        self._context = context
        self._post = post
        self._timers = ThreadTimers()
        self._slots = ImportSlots(context.settings.import_concurrency)
        self._busy: dict[str, bool] = {}
        self._sinks: Mapping[str, CentralSink] = {}
        self._supervisor: Any = None

    def start(self, operations: Mapping[str, Callable[[Mapping[str, Any]], object]]) -> None:
        """Start the tree; ``TreeIsUp`` is posted when it stands."""
        self._supervisor = Supervisor.start(
            ChildContext(SUPERVISOR, 1, self.directory, self._supervisor_reports),
            children=self._children(operations),
            timers=self._timers,
            observe=self._observe,
            random=self._context.random,
        )

    # Asking

    def config(self) -> ConfigChanged:
        """Return what config control has adopted, after everything it was told before."""
        config = self._ask(CONFIG_CONTROL, DescribeConfig())
        assert isinstance(config, ConfigChanged)  # noqa: S101 - what the actor answers
        return config

    def children(self) -> Sequence[ChildStatus]:
        children: Sequence[ChildStatus] = self._ask(SUPERVISOR, ListChildren())
        return children

    def is_well(self) -> bool:
        """Say whether the supervisor answers, and no actor hangs that must not."""
        try:
            children = self.children()
        except (ActorDeadError, Timeout):
            return False
        return not any(child.is_unresponsive and child.is_permanent for child in children)

    def runners(self) -> list[str]:
        """Return the names of the runners that were started."""
        return list(self._busy)

    def busy_runners(self) -> list[str]:
        # A copy, made at once: a runner that starts meanwhile adds its name on its own thread.
        return [name for name, is_busy in list(self._busy.items()) if is_busy]

    def _ask(self, name: str, message: object) -> Any:
        return self.directory.ask(name, message, timeout_s=ASK_TIMEOUT_S)

    # Ending

    def drain(self) -> None:
        """Make sure that nothing new is begun. On return ``busy_runners`` says what is left."""
        self.directory.tell(RECONCILER, DrainRequested())
        for name in self.runners():
            self.directory.tell(name, DrainRequested())
        for name in self.runners():
            try:
                # The answer comes after what the runner had been told before: a start, perhaps.
                self._ask(name, DescribeRun())
            except (ActorDeadError, Timeout):
                continue  # it is being restarted, and finds its import again at the next start

    def stop(self, timeout_s: float) -> Sequence[str]:
        """Stop every actor in reverse order of start; return the names of those that hang."""
        left_behind: Sequence[str] = ()
        try:
            left_behind = self.directory.ask(
                SUPERVISOR, StopChildren(within_s=timeout_s), timeout_s=timeout_s + ASK_TIMEOUT_S
            )
            self._supervisor.stop(timeout=ASK_TIMEOUT_S)
        except ActorDeadError:  # it gave up, and has stopped them itself
            pass
        except Timeout:
            left_behind = (SUPERVISOR,)
        self._timers.close()
        return left_behind

    # Building

    def _children(
        self, operations: Mapping[str, Callable[[Mapping[str, Any]], object]]
    ) -> list[ChildSpec]:
        """Return the children in order of start: what others count on comes first."""
        shared = self._context
        settings = shared.settings
        retry = RetryBounds(settings.retry_min_s, settings.retry_max_s)
        return [
            ChildSpec(
                MARKER_STORE,
                lambda context: MarkerStore.start(
                    context,
                    home=shared.home,
                    directory=self.directory,
                    clock=shared.clock,
                    timers=self._timers,
                    retry=retry,
                    random=shared.random,
                    log=shared.log,
                ),
            ),
            ChildSpec(
                CONFIG_CONTROL,
                lambda context: ConfigControl.start(
                    context,
                    engine=shared.engine,
                    home=shared.home,
                    environ=shared.environ,
                    providers=shared.providers,
                    directory=self.directory,
                    timers=self._timers,
                    on_layers=self._layers_adopted,
                    exit_on_apply=self._want_restart if shared.exit_on_apply else None,
                    log=shared.log,
                ),
            ),
            ChildSpec(
                RECONCILER,
                lambda context: Reconciler.start(
                    context,
                    handlers=[BackfillHandler()],
                    machine=Machine(
                        shared.providers,
                        self._child_environ(),
                        shared.faults,
                        cache_id=lambda: cache_id(machine_lake(shared.home, shared.environ)),
                    ),
                    directory=self.directory,
                    clock=shared.clock,
                    timers=self._timers,
                    retry=retry,
                    resync_s=settings.resync_s,
                    place_s=self._place_s,
                    random=shared.random,
                    on_settled=self._post,
                    log=shared.log,
                ),
            ),
            ChildSpec(
                CENTRAL_LINK,
                lambda context: CentralLink.start(
                    context,
                    home=shared.home,
                    directory=self.directory,
                    clock=shared.clock,
                    timers=self._timers,
                    random=shared.random,
                    poller=shared.new_poller(),
                    log=shared.log,
                ),
            ),
            ChildSpec(
                MAINTENANCE,
                lambda context: MaintenanceRunner.start(
                    context, nursery=self._nursery(), timers=self._timers, log=shared.log
                ),
            ),
            ChildSpec(
                CONTROL_ENDPOINT,
                lambda context: ControlEndpoint.start(
                    context, home=shared.home, operations=operations, log=shared.log
                ),
            ),
        ]

    def _layers_adopted(self, layers: Layers) -> None:
        """Start a runner for each provider that the config enables and that has none."""
        self._post(ConfigAdopted())
        if layers.effective is None:
            if not layers.is_joined:  # else it cannot be told
                self._adopt_sinks(())
            return
        enabled = enabled_providers(layers.effective, self._context.providers)
        for provider in enabled:
            # An import that an earlier daemon has left running takes a slot before any runner
            # can ask for one; its own runner gives it back if it is somebody else's.
            name = runner_name(provider.name)
            if name not in self._busy and not is_free(
                self._context.home.import_lock(provider.name)
            ):
                self._slots.occupy(name)
        for provider in enabled:
            self.directory.tell(SUPERVISOR, StartChild(self._runner_spec(provider)))
        self._adopt_sinks(central_sinks(layers.effective, self._context.home))

    def _adopt_sinks(self, sinks: Sequence[CentralSink]) -> None:
        """Have a runner for each central sink, and let those of others go."""
        self._sinks = {sink.name: sink for sink in sinks}
        for sink in sinks:
            self.directory.tell(SUPERVISOR, StartChild(self._forward_spec(sink)))
        for name in self._forwarders():
            sink_name = name.removeprefix(forward_name(""))
            self.directory.tell(name, SinkChanged(self._sinks.get(sink_name)))

    def _forwarders(self) -> list[str]:
        return [name for name in list(self._busy) if name.startswith(forward_name(""))]

    def _want_restart(self, reason: str) -> None:
        self._post(RestartWanted(reason))

    def _runner_spec(self, provider: ProviderRef) -> ChildSpec:
        shared = self._context
        settings = ImportSettings(
            command=shared.import_command,
            environ=self._child_environ(),
            nice=shared.settings.import_nice,
            limits=_limits(shared.settings),
        )
        return ChildSpec(
            runner_name(provider.name),
            lambda context: BackfillRunner.start(
                context,
                provider=provider,
                home=shared.home,
                settings=settings,
                directory=self.directory,
                clock=shared.clock,
                timers=self._timers,
                watch=shared.watch,
                slots=self._slots,
                new_token=shared.new_token,
                daemon_run_id=shared.daemon_run_id,
                on_busy=self._runner_is_busy,
                log=shared.log,
            ),
            restart=Restart.TRANSIENT,
        )

    def _forward_spec(self, sink: CentralSink) -> ChildSpec:
        shared = self._context
        return ChildSpec(
            forward_name(sink.name),
            lambda context: ForwardRunner.start(
                context,
                sink=self._sinks.get(sink.name, sink),
                nursery=self._nursery(),
                timers=self._timers,
                random=shared.random,
                log=shared.log,
            ),
            restart=Restart.TRANSIENT,
        )

    def _nursery(self) -> Nursery:
        shared = self._context
        return Nursery(
            home=shared.home,
            command=(sys.executable, "-P", "-m", "hypactors"),
            environ=self._child_environ(),
            nice=shared.settings.import_nice,
            clock=shared.clock,
            watch=shared.watch,
            new_token=shared.new_token,
            daemon_run_id=shared.daemon_run_id,
            directory=self.directory,
            on_busy=self._runner_is_busy,
        )

    def _place_s(self, unit: Unit) -> float:
        """Return how long the first attempt of a unit waits: the same on each start."""
        seed = "\0".join((platform.node(), str(self._context.home.root), *unit))
        digest = hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=8).digest()
        return self._context.settings.import_spread_s * int.from_bytes(digest) / 2**64

    def _child_environ(self) -> Mapping[str, str]:
        return import_environ(self._context.environ, self._context.home.root)

    # What the actors let us know, on their threads

    def _runner_is_busy(self, name: str, is_busy: bool) -> None:  # noqa: FBT001 - a callback
        if self._busy.get(name) is not is_busy:
            was_busy = self._busy.get(name, False)
            self._busy[name] = is_busy
            self._post(RunnersChanged())
            if was_busy and name.startswith(runner_name("")):  # there may be news
                for forwarder in self._forwarders():
                    self.directory.tell(forwarder, ExportRequested())

    def _supervisor_reports(self, notice: Notice) -> None:
        if isinstance(notice, ChildEnded):
            self._post(TreeIsLost(notice.error))

    def _observe(self, event: SupervisionEvent) -> None:
        log_supervision(self._context.log, event)
        match event:
            case TreeStarted():
                self._post(TreeIsUp())
            case ChildStopped(name=name) if name in self._busy:
                # It left as the config did without it, and may be wanted again since.
                self.directory.tell(CONFIG_CONTROL, RunnerMissed())


def _limits(settings: Settings) -> LimitSettings:
    limits = ImportLimits(
        max_runtime_s=settings.import_max_runtime_s,
        no_progress_s=settings.import_no_progress_s,
        memory_bytes=settings.import_memory_limit_mib * MIB,
    )
    return LimitSettings(limits, grace_s=settings.grace_s)
