"""What a supervisor needs to know of a child, as data."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykka import ActorRef

    from hypactors.supervision._actor import ChildContext


class Restart(enum.Enum):
    """When a child that ended is started again."""

    PERMANENT = "permanent"
    """Always, also after it stopped of its own accord."""

    TRANSIENT = "transient"
    """After a crash only."""

    TEMPORARY = "temporary"
    """Never."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start, restart and stop one child.

    ``factory`` starts the actor and returns its reference; it is called again for each restart,
    so it must hold no state of an earlier life. The child is started when all that it
    ``depends_on`` runs, and crashed when its setup takes longer than ``start_s``. It has
    ``shutdown_s`` to end when it is stopped: a supervisor needs as much as all its children.

    A child that answers no ping for ``hang_after_s`` is reported. One that is permanent and still
    silent after ``lost_after_s`` is lost: a thread cannot be killed, so its supervisor gives up.
    """

    name: str
    factory: Callable[[ChildContext], ActorRef[Any]]
    restart: Restart = Restart.PERMANENT
    depends_on: tuple[str, ...] = ()
    start_s: float = 30.0
    shutdown_s: float = 5.0
    hang_after_s: float = 30.0
    lost_after_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Intensity:
    """More than ``max_restarts`` within ``period_s`` and the supervisor gives up."""

    max_restarts: int = 5
    period_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """The wait before a restart: doubling, with jitter on top, forgotten after a quiet time."""

    initial_s: float = 0.05
    maximum_s: float = 30.0
    jitter: float = 0.1
    reset_after_s: float = 60.0

    def delay_s(self, recent_restarts: int, random: float) -> float:
        """Return the wait before the restart that follows ``recent_restarts`` earlier ones.

        ``random`` is in [0, 1).

        >>> [Backoff(initial_s=1, maximum_s=5).delay_s(n, 0.0) for n in range(4)]
        [1.0, 2.0, 4.0, 5.0]
        """
        doubled = self.initial_s * 2.0 ** min(recent_restarts, 30)
        return min(doubled, self.maximum_s) * (1 + self.jitter * random)
