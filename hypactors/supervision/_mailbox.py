"""The mailbox of a supervised actor: what concerns its life goes ahead of its work.

Pykka's own mailbox is strictly first in, first out, so a stop waits behind every message that is
there already: an actor with a long backlog could not be stopped within any budget.
"""

from __future__ import annotations

import queue
from collections import deque
from typing import TYPE_CHECKING, Any

from pykka.messages import _ActorStop  # Pykka has no public name for it

if TYPE_CHECKING:
    from pykka._envelope import Envelope


class Urgent:
    """The base of a message that overtakes ordinary ones; urgent ones keep their order."""

    __slots__ = ()


class Mailbox(queue.Queue["Envelope[Any]"]):
    """Two queues in one. What is left in it when its actor ends is answered by Pykka."""

    def _init(self, maxsize: int) -> None:  # noqa: ARG002 - the hook's signature
        self._urgent: deque[Envelope[Any]] = deque()
        self._ordinary: deque[Envelope[Any]] = deque()

    def _qsize(self) -> int:
        return len(self._urgent) + len(self._ordinary)

    def _put(self, item: Envelope[Any]) -> None:
        is_urgent = isinstance(item.message, Urgent | _ActorStop)
        (self._urgent if is_urgent else self._ordinary).append(item)

    def _get(self) -> Envelope[Any]:
        return (self._urgent or self._ordinary).popleft()
