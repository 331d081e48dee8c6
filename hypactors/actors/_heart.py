"""Noticing that the tree of actors hangs, and letting a service manager know that it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.clock import Clock
    from hypactors.service import Notifier

BEAT_S = 30.0
"""How often the supervisor is asked for an answer where no manager wants to know."""

MISSES = 4
"""After so many unanswered questions in a row the tree is given up."""


class Heart:
    """Beats on the main thread; ``is_well`` asks the tree, and must return in a few seconds.

    A daemon whose actors hang stops telling the manager that it is alive, and in the end is lost.
    """

    def __init__(self, notifier: Notifier, clock: Clock, is_well: Callable[[], bool]) -> None:
        self._notifier = notifier
        self._clock = clock
        self._is_well = is_well
        self._misses = 0
        self._every_s = min(BEAT_S, (notifier.watchdog_s or 2 * BEAT_S) / 2)
        self._next_s = clock.monotonic() + self._every_s

    @property
    def is_lost(self) -> bool:
        return self._misses >= MISSES

    def deadline(self, other: float | None) -> float:
        """Return when to wake up: for the next beat, or earlier for another reason."""
        return self._next_s if other is None else min(other, self._next_s)

    def beat_if_due(self) -> None:
        if self._clock.monotonic() < self._next_s:
            return
        if self._is_well():
            self._misses = 0
            self._notifier.alive()
        else:
            self._misses += 1
        self._next_s = self._clock.monotonic() + self._every_s
