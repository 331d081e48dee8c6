"""Test helpers: timers that stand still until a test moves them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ManualTimer:
    def __init__(self, due: float, callback: Callable[[], object]) -> None:
        self.due = due
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ManualTimers:
    """The twin of ``ThreadTimers``: :meth:`advance` runs what is due, on the caller's thread.

    Actors may set timers from their own threads at any time.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[ManualTimer] = []
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self._now

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> ManualTimer:
        timer = ManualTimer(self._now + delay_s, callback)
        with self._lock:
            self._timers.append(timer)
        return timer

    def pending_delays(self) -> list[float]:
        """Return the seconds until each timer that is set, shortest first."""
        with self._lock:
            return sorted(t.due - self._now for t in self._timers if not t.is_cancelled)

    def advance(self, seconds: float) -> None:
        """Move the time, then run what became due, in order."""
        with self._lock:
            self._now += seconds
            due = sorted(
                (t for t in self._timers if t.due <= self._now), key=lambda timer: timer.due
            )
            self._timers = [t for t in self._timers if t.due > self._now]
        for timer in due:
            if not timer.is_cancelled:
                timer.callback()
