"""How many imports of this daemon may run at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ImportSlots:
    """A number of slots, each held under a name; whoever waits gets the next in order of asking.

    Safe from every thread. It outlives the actors that use it, and a name holds one slot however
    often it asks: an actor that was restarted gives back, or keeps, what its last life held.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._guard = threading.Lock()
        self._holders: set[str] = set()
        self._waiting: dict[str, Callable[[], object]] = {}

    def take(self, name: str, on_granted: Callable[[], object]) -> bool:
        """Take a slot, or wait for one; say whether it is held now.

        ``on_granted`` is called, on the thread of whoever gave a slot back, when it is held later;
        it must do no more than send a message. Asking again replaces it and keeps the place.
        """
        with self._guard:
            if name in self._holders:
                return True
            if len(self._holders) < self._limit:  # and so nobody waits
                self._holders.add(name)
                return True
            self._waiting[name] = on_granted
            return False

    def occupy(self, name: str) -> None:
        """Hold a slot for what runs already, also beyond the limit."""
        with self._guard:
            self._waiting.pop(name, None)
            self._holders.add(name)

    def give_back(self, name: str) -> None:
        """Give the slot back, or the place in the queue; harmless without either."""
        with self._guard:
            self._waiting.pop(name, None)
            self._holders.discard(name)
            granted = []
            while self._waiting and len(self._holders) < self._limit:
                following = next(iter(self._waiting))
                granted.append(self._waiting.pop(following))
                self._holders.add(following)
        for on_granted in granted:
            on_granted()

    def holders(self) -> frozenset[str]:
        with self._guard:
            return frozenset(self._holders)
