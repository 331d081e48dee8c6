"""Sending a message later, without an actor that sleeps."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING, Protocol

from hypactors.supervision import _unhandled

if TYPE_CHECKING:
    from collections.abc import Callable


class Timer(Protocol):
    """One call that has been put off."""

    def cancel(self) -> None:
        """Make sure the call is not started any more; harmless when it was."""
        ...


class Timers(Protocol):
    """Calls put off by a number of seconds.

    A callback runs on the timer thread: it should ``tell`` an actor and do nothing else.
    """

    def monotonic(self) -> float: ...

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer: ...


class _Entry:
    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ThreadTimers:
    """Timers on one thread of their own, which ends with :meth:`close`.

    An error of a callback goes to ``threading.excepthook``; the timers live on.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, _Entry]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
        self._thread.start()

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        entry = _Entry(callback)
        with self._changed:
            heapq.heappush(self._entries, (self.monotonic() + delay_s, next(self._order), entry))
            self._changed.notify()
        return entry

    def close(self) -> None:
        """Drop what is still to come and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (entry := self._next_due()) is not None:
            if entry.cancelled:
                continue
            try:
                entry.callback()
            except Exception as error:  # noqa: BLE001 - the other timers must not end of it
                _unhandled.show(error)

    def _next_due(self) -> _Entry | None:
        """Wait for the next entry; None once closed."""
        with self._changed:
            while not self._closed:
                wait_s = self._entries[0][0] - self.monotonic() if self._entries else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._entries)[2]
                self._changed.wait(wait_s)
        return None
