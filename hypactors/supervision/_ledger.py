"""The restart decision, without actors, threads or a clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.supervision._specs import Restart

if TYPE_CHECKING:
    from hypactors.supervision._specs import Backoff, Intensity


@dataclass(frozen=True, slots=True)
class RestartAfter:
    """Start the child again after a wait."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class LeaveStopped:
    """The child ended as it may."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Too many restarts: this is the parent's business now."""


Decision = RestartAfter | LeaveStopped | GiveUp


class RestartLedger:
    """Remembers the restarts of one supervisor and decides the next one."""

    def __init__(self, intensity: Intensity, backoff: Backoff) -> None:
        self._intensity = intensity
        self._backoff = backoff
        self._restarts: deque[float] = deque()
        self._recent: dict[str, tuple[int, float]] = {}

    def decide(
        self, name: str, restart: Restart, *, crashed: bool, now: float, random: float
    ) -> Decision:
        """Say what follows the end of a child, and count the restart if it is one.

        ``now`` is monotonic seconds, ``random`` lies in [0, 1).
        """
        if restart is Restart.TEMPORARY or (restart is Restart.TRANSIENT and not crashed):
            return LeaveStopped()
        while self._restarts and now - self._restarts[0] > self._intensity.period_s:
            self._restarts.popleft()
        if len(self._restarts) >= self._intensity.max_restarts:
            return GiveUp()
        self._restarts.append(now)
        return RestartAfter(self._delay_s(name, now, random))

    def _delay_s(self, name: str, now: float, random: float) -> float:
        count, last = self._recent.get(name, (0, now))
        if now - last > self._backoff.reset_after_s:
            count = 0
        self._recent[name] = (count + 1, now)
        return self._backoff.delay_s(count, random)
