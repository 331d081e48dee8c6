"""Actors by name, so that nobody holds a reference that a restart made stale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError

from hypactors.supervision._ref import forbid_on_actor_thread

if TYPE_CHECKING:
    from pykka import ActorRef


class Directory:
    """The names under which a supervisor's children can be reached.

    Safe from every thread: a dictionary assignment is atomic, and a message to an actor that
    died in between is dropped just as one that was lost with its mailbox.
    """

    def __init__(self) -> None:
        self._refs: dict[str, ActorRef[Any]] = {}

    def tell(self, name: str, message: object) -> bool:
        """Put a message in the mailbox of ``name``; False when nobody of that name lives."""
        ref = self._refs.get(name)
        if ref is None:
            return False
        try:
            ref.tell(message)
        except ActorDeadError:
            return False
        return True

    def ask(self, name: str, message: object, *, timeout_s: float) -> Any:
        """Ask and wait: for the edge only (command line, control socket, tests).

        Raises ``pykka.ActorDeadError`` when nobody of that name lives, ``pykka.Timeout`` after
        ``timeout_s``, and ``RuntimeError`` on the thread of an actor: an actor that waits for
        another is how actor systems deadlock.
        """
        forbid_on_actor_thread(f"ask {name!r}")
        ref = self._refs.get(name)
        if ref is None:
            raise ActorDeadError(f"{name} does not run")
        return ref.ask(message, timeout=timeout_s)

    def put(self, name: str, ref: ActorRef[Any]) -> None:
        self._refs[name] = ref

    def remove(self, name: str) -> None:
        self._refs.pop(name, None)
