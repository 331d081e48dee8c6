"""What the whole tree shares, and the events that the program waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.actors._reconciler_states import Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from structlog.typing import FilteringBoundLogger

    from hypactors.actions import ProviderFault, ProviderRef
    from hypactors.actors._central_poller import Poller
    from hypactors.clock import Clock
    from hypactors.config import ApplyEngine
    from hypactors.paths import HypHome
    from hypactors.processes import RunWatch
    from hypactors.settings import Settings


@dataclass(frozen=True, slots=True)
class TreeIsUp:
    """Every actor has finished its setup."""


@dataclass(frozen=True, slots=True)
class TreeIsLost:
    """The supervisor itself ended; nothing of the daemon works any more."""

    error: BaseException | None


@dataclass(frozen=True, slots=True)
class RunnersChanged:
    """A runner became busy or idle."""


@dataclass(frozen=True, slots=True)
class ConfigAdopted:
    """Another config is in force, or the same one is confirmed now."""


@dataclass(frozen=True, slots=True)
class RestartWanted:
    """A config was applied or rolled back, and the program is to be started anew for it."""

    reason: str


SystemEvent = TreeIsUp | TreeIsLost | RunnersChanged | ConfigAdopted | RestartWanted | Settled


@dataclass(frozen=True, slots=True)
class SystemContext:
    """What the whole tree shares. ``random`` is in [0, 1); ``new_token`` gives six hex digits.

    ``engine`` has been evaluated at boot and knows its checks. ``watch`` outlives a tree that is
    built anew. Both belong to the tree while one runs.
    """

    home: HypHome
    environ: Mapping[str, str]
    settings: Settings
    providers: Sequence[ProviderRef]
    faults: Sequence[ProviderFault]
    import_command: tuple[str, ...]
    clock: Clock
    random: Callable[[], float]
    new_token: Callable[[], str]
    daemon_run_id: str
    engine: ApplyEngine
    watch: RunWatch
    new_poller: Callable[[], Poller]
    exit_on_apply: bool
    log: FilteringBoundLogger
