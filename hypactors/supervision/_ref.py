"""References that only tell, where an actor holds them: one that waits for another deadlocks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pykka import ActorRef

if TYPE_CHECKING:
    from pykka import ActorProxy

_thread = threading.local()


def mark_actor_thread() -> None:
    """Note that this thread runs an actor, and so must never wait for another one."""
    _thread.runs_actor = True


def forbid_on_actor_thread(name: str) -> None:
    """Raise ``RuntimeError`` on the thread of an actor."""
    if getattr(_thread, "runs_actor", False):
        raise RuntimeError(f"an actor must not ask {name!r}: tell it, and handle its answer")


class GuardedRef(ActorRef[Any]):
    """A reference on which nobody waits from the thread of an actor."""

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        if block:
            forbid_on_actor_thread(self.actor_class.__name__)
        return super().ask(message, block=block, timeout=timeout)

    def proxy(self) -> ActorProxy[Any]:
        forbid_on_actor_thread(self.actor_class.__name__)
        return super().proxy()
