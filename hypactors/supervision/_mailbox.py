"""The mailbox of a supervised actor: what concerns its life goes ahead of its work.

Pykka's own mailbox is strictly first in, first out, so a stop waits behind every message that is
there already: an actor with a long backlog could not be stopped within any budget.
"""

from __future__ import annotations

import queue
from collections import deque
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError
from pykka.messages import _ActorStop  # Pykka has no public name for it

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykka._envelope import Envelope


class Urgent:
    """The base of a message that overtakes ordinary ones; urgent ones keep their order."""

    __slots__ = ()


class Mailbox(queue.Queue["Envelope[Any]"]):
    """Two queues in one, which its actor closes when it ends.

    Pykka answers what is in a mailbox by then. A message that is put there a moment later, by
    who saw the actor alive a moment before, would have no answer ever: it is answered here.
    """

    def _init(self, maxsize: int) -> None:  # noqa: ARG002 - the hook's signature
        self._urgent: deque[Envelope[Any]] = deque()
        self._ordinary: deque[Envelope[Any]] = deque()
        self._is_closed = False

    def close(self) -> None:
        """Answer what is left, and whatever still comes, with ``pykka.ActorDeadError``."""
        with self.mutex:
            self._is_closed = True
            while self._qsize():
                _refuse(self._get())

    def take(self, is_wanted: Callable[[object], bool]) -> list[Any]:
        """Remove urgent messages that would have to wait, and return them."""
        with self.mutex:
            taken = [each for each in self._urgent if is_wanted(each.message)]
            for each in taken:
                self._urgent.remove(each)
        return [each.message for each in taken]

    def has_stop(self) -> bool:
        """Say whether the actor has been told to stop and has not come to it yet."""
        with self.mutex:
            return any(isinstance(each.message, _ActorStop) for each in self._urgent)

    def _qsize(self) -> int:
        return len(self._urgent) + len(self._ordinary)

    def _put(self, item: Envelope[Any]) -> None:
        if self._is_closed:
            _refuse(item)
            return
        is_urgent = isinstance(item.message, Urgent | _ActorStop)
        (self._urgent if is_urgent else self._ordinary).append(item)

    def _get(self) -> Envelope[Any]:
        return (self._urgent or self._ordinary).popleft()


def _refuse(envelope: Envelope[Any]) -> None:
    if envelope.reply_to is None:
        return
    if isinstance(envelope.message, _ActorStop):
        envelope.reply_to.set(None)
        return
    error = ActorDeadError("the actor ended before it came to the message")
    envelope.reply_to.set_exception((ActorDeadError, error, None))
