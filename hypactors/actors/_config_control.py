"""Owner of the config: takes documents in, tries them, says which config is confirmed.

The apply engine decides and writes; this actor gives it messages and time, and carries a change of
config to the other actors. That is the staged restart: nothing but the config link starts anew,
and imports that run are not disturbed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypactors.actions import runner_name
from hypactors.actors._names import CENTRAL_LINK, CONFIG_CONTROL, MAINTENANCE, RECONCILER
from hypactors.central import link_sink
from hypactors.config import resolve_layers
from hypactors.messages import (
    ConfigChanged,
    ConfigConfirmed,
    ConfigStaged,
    ConfigWanted,
    DescribeConfig,
    PollFailed,
    PollSucceeded,
    ReconcileRequested,
    ReconcilerReady,
    ReloadRequested,
    ResetToSeed,
    RunnerMissed,
    StageConfig,
)
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from structlog.typing import FilteringBoundLogger

    from hypactors.actions import ProviderRef
    from hypactors.config import ApplyEngine, Layers
    from hypactors.paths import HypHome
    from hypactors.supervision import ChildContext, Directory, Timer, Timers


@dataclass(frozen=True, slots=True)
class _Tick:
    """Time to look at the trial of the config."""


class ConfigControl(SupervisedActor):
    """Resolves the layers, runs the engine, and gives the confirmation edge.

    ``on_layers`` is called with each config that is adopted, before anybody is told of it: it
    makes sure that a runner is there for what the config asks for. ``exit_on_apply``, when it is
    given, is called with the reason instead of a staged restart: the program exits and is
    started anew.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        engine: ApplyEngine,
        home: HypHome,
        environ: Mapping[str, str],
        providers: Sequence[ProviderRef],
        directory: Directory,
        timers: Timers,
        on_layers: Callable[[Layers], object],
        exit_on_apply: Callable[[str], object] | None,
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._engine = engine
        self._home = home
        self._environ = environ
        self._providers = providers
        self._directory = directory
        self._timers = timers
        self._on_layers = on_layers
        self._exit_on_apply = exit_on_apply
        self._log = log.bind(actor=CONFIG_CONTROL)
        self._config: ConfigChanged
        self._tick_timer: Timer | None = None

    def setup(self) -> None:
        self._take_up_active()
        # Nobody is there to hear it at boot; after a crash of ours the reconciler is, and an edge
        # that the crash swallowed comes again this way.
        self._announce("boot-already-confirmed")

    def receive(self, message: Any) -> Any:  # noqa: C901 - one case a message
        match message:
            case ReconcilerReady():
                self._announce("boot-already-confirmed")
            case ConfigWanted(actor=actor):
                self._directory.tell(actor, self._config)
            case PollSucceeded(revision=revision):
                if revision in (None, self._engine.revision):
                    self._confirm_poll()
            case PollFailed():
                self._engine.poll_failed()
            case StageConfig():
                self._stage(message)
            case _Tick():
                self._tick()
            case ReloadRequested():
                self._reload()
            case RunnerMissed():
                self._on_layers(self._config.layers)
            case ResetToSeed():
                return self._reset_to_seed()
            case DescribeConfig():
                return self._config
            case _:
                return super().receive(message)
        return None

    def teardown(self) -> None:
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        self._engine.close()

    # The trial of a config

    def _confirm_poll(self) -> None:
        """End an active trial; a poll without one is nothing new (config-control §5.1)."""
        try:
            etag = self._engine.confirm_poll()
        except OSError as error:  # the trial goes on, and so do the polls
            self._log.error("config.confirm_failed", detail=str(error))
            return
        if etag is not None:
            self._adopt(self._config.layers)
            self._arm_tick()
            self._announce("confirm-edge")

    def _stage(self, message: StageConfig) -> None:
        result = self._engine.stage(message.document, message.etag)
        self._directory.tell(CENTRAL_LINK, ConfigStaged(result, message.etag))
        if result.is_restart_wanted:
            self._staged_restart("config_applied")

    def _tick(self) -> None:
        result = self._engine.tick()
        if result is not None and result.is_restart_wanted:
            self._staged_restart(result.reason)
        elif result is not None:  # there was nothing to go back to: it goes on, untried
            self._adopt(self._config.layers)
            self._directory.tell(RECONCILER, self._config)
        self._arm_tick()

    def _staged_restart(self, reason: str) -> None:
        """Go over to the config that is active on disk now (contract §7)."""
        self._log.info("daemon.restart_requested", hyp_reason=reason)
        if self._exit_on_apply is not None:
            self._exit_on_apply(reason)
            return
        self._take_up_active()
        self._announce(reason)
        self._log.info("daemon.restart_completed", hyp_reason=reason)

    def _reset_to_seed(self) -> bool:
        """Begin anew from the seed, or as a machine that never joined when there is none."""
        is_superseded = self._engine.reset_to_seed()
        self._take_up_active()
        self._announce("reset_to_seed")
        return is_superseded

    def _take_up_active(self) -> None:
        self._engine.restart_completed()
        self._adopt(self._resolve())
        self._arm_tick()

    def _arm_tick(self) -> None:
        if self._tick_timer is not None:
            self._tick_timer.cancel()
            self._tick_timer = None
        delay_s = self._engine.next_tick_s()
        if delay_s is not None:
            self._tick_timer = self._timers.call_later(
                delay_s, lambda: self._directory.tell(CONFIG_CONTROL, _Tick())
            )

    # The layers

    def _announce(self, reason: str) -> None:
        self._tell_config(RECONCILER, CENTRAL_LINK)
        if self._config.is_confirmed:
            self._directory.tell(RECONCILER, ConfigConfirmed(reason, self._engine.running_etag))

    def _reload(self) -> None:
        layers = self._resolve()
        if not layers.is_usable and self._config.layers.is_usable:
            self._log.error(
                "daemon.reload_config_failed", problems=[p.message for p in layers.problems]
            )
            return
        self._adopt(layers)
        self._tell_config(RECONCILER)
        if self._config.is_confirmed:
            self._directory.tell(RECONCILER, ReconcileRequested("reload", is_edge=True))

    def _tell_config(self, *names: str) -> None:
        """Tell these actors, and every runner that lives, which config is in force."""
        runners = (runner_name(provider.name) for provider in self._providers)
        for name in (*names, MAINTENANCE, *runners):
            self._directory.tell(name, self._config)

    def _resolve(self) -> Layers:
        contributed = [provider.plugin for provider in self._providers]
        return resolve_layers(self._home, self._environ, contributed=contributed)

    def _adopt(self, layers: Layers) -> None:
        for problem in layers.problems:
            log = self._log.error if problem.severity == "error" else self._log.warning
            log(
                "config.layer_unusable",
                layer=problem.layer,
                kind=problem.kind,
                detail=problem.message,
            )
        for drop in layers.dropped:
            self._log.info(
                "config.local_entry_dropped",
                section=drop.section,
                key=drop.key,
                reason=drop.reason,
                detail=drop.detail,
            )
        if layers.central_query_ignored:
            self._log.info("config.central_query_ignored")
        is_on_trial = self._engine.probation is not None
        # A slot that stands in for a broken one may lack what that one locked: nothing is begun
        # under it until the next poll has mended the broken one.
        is_whole = layers.is_joined and layers.effective is not None and layers.is_usable
        self._config = ConfigChanged(
            layers,
            is_confirmed=is_whole and not is_on_trial,
            revision=self._engine.revision,
            fleet=sink.fleet if (sink := link_sink(layers, self._home)) else None,
        )
        self._on_layers(layers)
