"""References that only tell, where an actor holds them: one that waits for another deadlocks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pykka import ActorRef
from pykka.messages import _ActorStop  # Pykka has no public name for it

if TYPE_CHECKING:
    from pykka import ActorProxy

_thread = threading.local()


def mark_actor_thread() -> None:
    """Note that this thread runs an actor, and so must never wait for another one."""
    _thread.runs_actor = True


def forbid_on_actor_thread(wait: str) -> None:
    """Raise ``RuntimeError`` on the thread of an actor, where ``wait`` must not be done."""
    if getattr(_thread, "runs_actor", False):
        raise RuntimeError(f"an actor must not {wait}: it tells, and handles what it is told")


class GuardedRef(ActorRef[Any]):
    """A reference on which nobody waits from the thread of an actor.

    A question that does not block at once is forbidden there too: its answer is a wait.
    """

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        if not isinstance(message, _ActorStop):
            forbid_on_actor_thread(f"ask {self.actor_class.__name__!r}")
        return super().ask(message, block=block, timeout=timeout)

    def proxy(self) -> ActorProxy[Any]:
        forbid_on_actor_thread(f"ask {self.actor_class.__name__!r}")
        return super().proxy()

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        if block:
            forbid_on_actor_thread(f"wait for {self.actor_class.__name__!r} to stop")
        return super().stop(block=block, timeout=timeout)


def stop_and_wait(ref: ActorRef[Any], timeout_s: float) -> None:
    """Stop an actor from the thread of its supervisor, which alone may wait.

    Raises ``pykka.Timeout`` when it did not end in time.
    """
    ref.stop(block=False).get(timeout=timeout_s)
