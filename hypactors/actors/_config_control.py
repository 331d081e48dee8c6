"""Owner of the config layers: says what the config is and when it is confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypactors.actors._names import CONFIG_CONTROL, RECONCILER
from hypactors.config import clear_probation, read_control_state, resolve_layers, running_etag
from hypactors.messages import (
    ConfigChanged,
    ConfigConfirmed,
    DescribeConfig,
    PollSucceeded,
    ReconcileRequested,
    ReconcilerReady,
    ReloadRequested,
)
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from structlog.typing import FilteringBoundLogger

    from hypactors.config import Layers
    from hypactors.paths import HypHome
    from hypactors.supervision import ChildContext, Directory


class ConfigControl(SupervisedActor):
    """Resolves the layers, knows probation, and gives the confirmation edge.

    ``on_layers`` is called with each config that is adopted, before anybody is told of it: it
    makes sure that a runner is there for what the config asks for.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        home: HypHome,
        environ: Mapping[str, str],
        directory: Directory,
        on_layers: Callable[[Layers], None],
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._home = home
        self._environ = environ
        self._directory = directory
        self._on_layers = on_layers
        self._log = log.bind(actor=CONFIG_CONTROL)
        self._config: ConfigChanged

    def setup(self) -> None:
        layers = resolve_layers(self._home, self._environ)
        self._adopt(layers)
        # Nobody is there to hear it at boot; after a crash of ours the reconciler is, and an edge
        # that the crash swallowed comes again this way.
        self._announce("boot-already-confirmed")

    def receive(self, message: Any) -> Any:
        match message:
            case ReconcilerReady():
                self._announce("boot-already-confirmed")
            case PollSucceeded():
                self._confirm_poll()
            case ReloadRequested():
                self._reload()
            case DescribeConfig():
                return self._config
            case _:
                return super().receive(message)
        return None

    def _announce(self, reason: str) -> None:
        self._directory.tell(RECONCILER, self._config)
        if self._config.is_confirmed:
            self._directory.tell(RECONCILER, ConfigConfirmed(reason, running_etag(self._home)))

    def _confirm_poll(self) -> None:
        """End an active probation; a poll without one is nothing new (config-control §5.1)."""
        etag = clear_probation(self._home)
        if etag is not None:
            self._log.info("config.probation_cleared", etag=etag)
            self._adopt(self._config.layers)
            self._announce("confirm-edge")

    def _reload(self) -> None:
        layers = resolve_layers(self._home, self._environ)
        if not layers.is_usable and self._config.layers.is_usable:
            self._log.error(
                "daemon.reload_config_failed", problems=[p.message for p in layers.problems]
            )
            return
        self._adopt(layers)
        self._directory.tell(RECONCILER, self._config)
        if self._config.is_confirmed:
            self._directory.tell(RECONCILER, ReconcileRequested("reload", is_edge=True))

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
        is_on_trial = read_control_state(self._home).probation is not None
        is_confirmed = layers.is_joined and layers.effective is not None and not is_on_trial
        self._config = ConfigChanged(layers, is_confirmed)
        self._on_layers(layers)
