"""The base of every supervised actor: however it dies, its supervisor hears of it.

Pykka calls no hook when ``on_start`` raises, keeps an actor alive whose answer to an ``ask``
raised, and stops *every* actor when one raises ``SystemExit`` or ``KeyboardInterrupt``. Here each
of these is the crash of that one actor.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pykka import ActorRegistry, ThreadingActor
from pykka.messages import _ActorStop  # Pykka has no public name for it

from hypactors.supervision._errors import ActorCrashed
from hypactors.supervision._mailbox import Mailbox, Urgent
from hypactors.supervision._ref import GuardedRef, mark_actor_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from hypactors.supervision._directory import Directory


@dataclass(frozen=True, slots=True)
class ChildReady(Urgent):
    """The child of that incarnation has finished its setup; ``thread`` lives as long as it does."""

    name: str
    incarnation: int
    thread: threading.Thread


@dataclass(frozen=True, slots=True)
class ChildEnded(Urgent):
    """The child of that incarnation handles no more messages; ``error`` is None when it stopped."""

    name: str
    incarnation: int
    error: BaseException | None

    @property
    def life(self) -> tuple[str, int]:
        return self.name, self.incarnation


@dataclass(frozen=True, slots=True)
class ChildAlive(Urgent):
    """The child of that incarnation has answered a ping."""

    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Ping(Urgent):
    """Asks for a ``ChildAlive``; ahead of the mailbox, so it waits for one message at most."""


Notice = ChildReady | ChildAlive | ChildEnded


@dataclass(frozen=True, slots=True)
class ChildContext:
    """What a child is told of its place in the tree; made anew for each life.

    ``report`` takes the child's notices to its supervisor and never raises. Under ``directory``
    the child can be reached by its name before its setup begins: an answer to what it says there
    must not be lost.
    """

    name: str
    incarnation: int
    directory: Directory
    report: Callable[[Notice], None]


class SupervisedActor(ThreadingActor):
    """Write ``setup``, ``receive`` and ``teardown``; the Pykka hooks belong to this class.

    ``teardown`` runs when the actor is stopped, not when it crashed: what a crash leaves behind
    is the business of the next life's ``setup``. A stop goes ahead of what is in the mailbox;
    who had asked and is not answered any more gets ``pykka.ActorDeadError``.
    """

    use_daemon_thread = True  # a hung actor must not keep a stopped process alive
    actor_inbox: Mailbox

    def __init__(self, context: ChildContext) -> None:
        super().__init__()
        self._actor_ref = GuardedRef(self)
        self._context = context

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        return Mailbox()

    # What a subclass writes

    def setup(self) -> None:
        """Prepare on the actor's own thread, before the first message."""

    def receive(self, message: Any) -> Any:
        """Handle one message. An exception is a crash."""
        raise TypeError(f"{type(self).__name__} takes no {type(message).__name__}")

    def teardown(self) -> None:
        """Clean up after the last message."""

    # Pykka's hooks

    def on_start(self) -> None:
        mark_actor_thread()
        if self.actor_inbox.has_stop():  # it was given up before its thread came to run
            self._end()
            self._report_end(None)
            return
        context = self._context
        context.directory.put(context.name, self.actor_ref)
        try:
            self.setup()
        except BaseException as error:  # noqa: BLE001 - the edge of the actor
            self._crash(error)
            return
        context.report(ChildReady(context.name, context.incarnation, threading.current_thread()))

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Ping):
            self._context.report(ChildAlive(self._context.name, self._context.incarnation))
            return None
        return self.receive(message)

    def on_stop(self) -> None:
        error: BaseException | None = None
        try:
            self.teardown()
        except BaseException as raised:  # noqa: BLE001 - the edge of the actor
            error = raised
        self._report_end(error)

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: the crash has been reported already."""

    def _handle_receive(self, message: Any) -> Any:
        # Calls of a proxy come by here, and not by on_receive.
        if isinstance(message, _ActorStop):
            return super()._handle_receive(message)
        try:
            return super()._handle_receive(message)
        except BaseException as error:
            self._crash(error)
            raise ActorCrashed(f"{self._context.name} crashed: {error!r}") from error

    def _actor_loop(self) -> None:
        try:
            super()._actor_loop()
        finally:
            self.actor_inbox.close()

    def _crash(self, error: BaseException) -> None:
        self._end()
        self._report_end(error)

    def _end(self) -> None:
        ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()

    def _report_end(self, error: BaseException | None) -> None:
        self._context.report(ChildEnded(self._context.name, self._context.incarnation, error))
