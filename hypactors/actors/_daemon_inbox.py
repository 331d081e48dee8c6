"""What the main thread of the daemon waits on."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from hypactors.actors._daemon_events import DaemonEvent, StopRequested
from hypactors.actors._system_context import TreeIsLost

if TYPE_CHECKING:
    from hypactors.actors._heart import Heart
    from hypactors.clock import Clock


class DaemonInbox:
    """Events for the main thread. While a ``heart`` is set, it beats as long as one waits here."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: queue.SimpleQueue[DaemonEvent] = queue.SimpleQueue()
        self.heart: Heart | None = None

    def post(self, event: DaemonEvent) -> None:
        """Give the main thread something to do; from any thread, and from a signal handler."""
        self._events.put(event)

    def next(self, deadline: float | None) -> DaemonEvent | None:
        """Return the next event, or None when the deadline (monotonic seconds) has passed."""
        while True:
            wake_at = deadline
            if self.heart is not None:
                self.heart.beat_if_due()
                if self.heart.is_lost:
                    return TreeIsLost(None)
                wake_at = self.heart.deadline(deadline)
            timeout_s = None if wake_at is None else max(0.0, wake_at - self._clock.monotonic())
            try:
                return self._events.get(timeout=timeout_s)
            except queue.Empty:
                if deadline is not None and self._clock.monotonic() >= deadline:
                    return None

    def forget_tree(self) -> None:
        """Drop what a lost tree said, and keep what a person did."""
        events, self._events = self._events, queue.SimpleQueue()
        while not events.empty():
            event = events.get()
            if isinstance(event, StopRequested):
                self._events.put(event)
