"""When a unit is looked at again: after a failure, or when its turn has come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.actions import Unit
    from hypactors.supervision import Timer, Timers


class UnitTimers:
    """At most one timer a unit; ``on_due`` is called on the timers' thread."""

    def __init__(self, timers: Timers, on_due: Callable[[], object]) -> None:
        self._timers = timers
        self._on_due = on_due
        self._set: dict[Unit, Timer] = {}

    def set(self, unit: Unit, delay_s: float) -> None:
        self.cancel(unit)
        self._set[unit] = self._timers.call_later(delay_s, self._on_due)

    def cancel(self, unit: Unit) -> None:
        timer = self._set.pop(unit, None)
        if timer is not None:
            timer.cancel()

    def cancel_all(self) -> None:
        for unit in list(self._set):
            self.cancel(unit)


class Turns:
    """Spreads the first attempts of a fleet: each machine and unit has a place of its own.

    ``place_s`` says how many seconds after it was first wanted a unit's turn comes. Times are
    monotonic: a wall clock that is set back must not put a turn off.
    """

    def __init__(self, place_s: Callable[[Unit], float]) -> None:
        self._place_s = place_s
        self._due: dict[Unit, float] = {}
        self._hurried: set[Unit] = set()

    def wait_s(self, unit: Unit, now_s: float) -> float:
        """Return how long a unit still has to wait; 0 when it is its turn."""
        if unit in self._hurried:
            return 0.0
        due_s = self._due.setdefault(unit, now_s + self._place_s(unit))
        return max(0.0, due_s - now_s)

    def hurry(self, unit: Unit) -> None:
        """Let a unit go first, whatever it waits for."""
        self._hurried.add(unit)

    def hurried(self) -> frozenset[Unit]:
        return frozenset(self._hurried)

    def taken(self, unit: Unit) -> None:
        """Note that a unit has had its turn."""
        self._hurried.discard(unit)
        self._due[unit] = -math.inf

    def waiting(self, now_s: float) -> dict[Unit, float]:
        """Return how long each unit whose turn is still to come has to wait."""
        return {
            unit: due_s - now_s
            for unit, due_s in self._due.items()
            if due_s > now_s and unit not in self._hurried
        }
