"""One child as its supervisor sees it."""

from __future__ import annotations

import contextlib
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError

from hypactors.supervision._actor import Ping
from hypactors.supervision._specs import Restart

if TYPE_CHECKING:
    import threading

    from pykka import ActorRef

    from hypactors.supervision._specs import ChildSpec
    from hypactors.supervision._timers import Timer


class ChildState(enum.StrEnum):
    WAITING = "waiting"
    """To be started, once those that come before it are ready."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    """To be started again, after its back-off."""

    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """One child as it stands, in answer to :class:`ListChildren`.

    ``hangs`` counts how often it did not answer a ping in time; ``is_unresponsive`` says that
    it does not right now.
    """

    name: str
    state: ChildState
    restarts: int
    last_error: str | None
    is_unresponsive: bool = False
    hangs: int = 0
    is_permanent: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """One child, as far as a decision needs to know it."""

    name: str
    state: ChildState
    restart: Restart = Restart.PERMANENT
    depends_on: tuple[str, ...] = ()


class Child:
    """The mutable side of one child; owned by the supervisor's thread."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.state = ChildState.WAITING
        self.incarnation = 0
        self.ticket = 0
        """Tells the restart that is due from one that another restart overtook."""
        self.restarts = 0
        self.last_error: BaseException | None = None
        self.ref: ActorRef[Any] | None = None
        self.thread: threading.Thread | None = None
        self.start_timer: Timer | None = None
        self.is_pinged = False
        self.silent_s = 0.0
        self.is_unresponsive = False
        self.hangs = 0

    @property
    def is_up(self) -> bool:
        """Whether an actor is there that has to be stopped."""
        return self.ref is not None and self.state in (ChildState.STARTING, ChildState.RUNNING)

    def begin_life(self) -> None:
        self.incarnation += 1
        self.state = ChildState.STARTING
        self.ref = self.thread = None
        self.hear()

    def end_life(self, state: ChildState) -> None:
        self.state = state
        self.cancel_start_timer()
        self.hear()

    def hear(self) -> None:
        """Note that it is alive, or that nobody waits for an answer any more."""
        self.is_pinged = self.is_unresponsive = False
        self.silent_s = 0.0

    def cancel_start_timer(self) -> None:
        if self.start_timer is not None:
            self.start_timer.cancel()
            self.start_timer = None

    def ping(self) -> None:
        if self.ref is not None:
            with contextlib.suppress(ActorDeadError):
                self.ref.tell(Ping())

    def tell_to_stop(self) -> None:
        if self.ref is not None:
            self.ref.stop(block=False)

    def standing(self) -> Standing:
        return Standing(self.spec.name, self.state, self.spec.restart, self.spec.depends_on)

    def status(self) -> ChildStatus:
        error = None if self.last_error is None else repr(self.last_error)
        return ChildStatus(
            self.spec.name,
            self.state,
            self.restarts,
            error,
            is_unresponsive=self.is_unresponsive,
            hangs=self.hangs,
            is_permanent=self.spec.restart is Restart.PERMANENT,
        )
