"""A supervisor for Pykka actors: starts them in order, restarts them, stops them in reverse."""

from __future__ import annotations

import contextlib
import enum
import random as random_module
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError, Timeout

from hypactors.supervision._actor import (
    ChildContext,
    ChildEnded,
    ChildReady,
    SupervisedActor,
)
from hypactors.supervision._events import (
    ChildCrashed,
    ChildLeftBehind,
    ChildStarted,
    ChildStopped,
    RestartScheduled,
    SupervisionEvent,
    SupervisorGaveUp,
    TreeStarted,
)
from hypactors.supervision._ledger import GiveUp, LeaveStopped, RestartAfter, RestartLedger
from hypactors.supervision._specs import Backoff, Intensity

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from pykka import ActorRef

    from hypactors.supervision._specs import ChildSpec
    from hypactors.supervision._timers import Timer, Timers

DEFAULT_INTENSITY = Intensity()
DEFAULT_BACKOFF = Backoff()

SWEEP_S = 1.0
"""How often threads are checked that may have ended without a word. Crashes are told at once."""


class ChildState(enum.StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """One child as it stands, in answer to :class:`ListChildren`."""

    name: str
    state: ChildState
    restarts: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start one more child, unless one of that name is there already and has not stopped."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class ListChildren:
    """Ask for a tuple of :class:`ChildStatus`, in order of start."""


@dataclass(frozen=True, slots=True)
class StopChildren:
    """Ask to stop all children in reverse order of start, each within its budget.

    The answer is the names of those that did not stop in time.
    """


@dataclass(frozen=True, slots=True)
class _StartAgain:
    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class _Sweep:
    pass


class EndedWithoutAWord(RuntimeError):  # noqa: N818 - a fact
    """The thread of a child is gone and nothing said why."""


class RestartIntensityExceeded(RuntimeError):  # noqa: N818 - a fact
    """A supervisor gave up; its own supervisor, or the program, decides what follows."""


class _Child:
    """The mutable side of one child; owned by the supervisor's thread."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.state = ChildState.WAITING
        self.incarnation = 0
        self.restarts = 0
        self.last_error: BaseException | None = None
        self.ref: ActorRef[Any] | None = None
        self.thread: threading.Thread | None = None


class Supervisor(SupervisedActor):
    """One-for-one: a child that dies is restarted alone. Its children share its directory.

    ``observe`` is called on the supervisor's thread for each change and must not block.
    ``random`` returns floats in [0, 1), for the jitter of the back-off.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        children: Sequence[ChildSpec],
        timers: Timers,
        observe: Callable[[SupervisionEvent], None],
        intensity: Intensity = DEFAULT_INTENSITY,
        backoff: Backoff = DEFAULT_BACKOFF,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        super().__init__(context)
        self._children = {spec.name: _Child(spec) for spec in children}
        self._to_start = deque(self._children)
        self._announce_tree = True
        self._directory = context.directory
        self._timers = timers
        self._observe = observe
        self._ledger = RestartLedger(intensity, backoff)
        self._random = random
        self._stopping = False
        self._sweep_timer: Timer | None = None

    def setup(self) -> None:
        self._arm_sweep()
        self._start_next()

    def receive(self, message: Any) -> Any:
        match message:
            case ChildReady():
                self._child_ready(message)
            case ChildEnded():
                self._child_ended(message)
            case _StartAgain(name=name, incarnation=incarnation):
                child = self._children[name]
                if child.state is ChildState.RESTARTING and child.incarnation == incarnation:
                    self._start(child)
            case _Sweep():
                self._sweep()
            case StartChild(spec=spec):
                self._add(spec)
            case ListChildren():
                return tuple(self._status(child) for child in self._children.values())
            case StopChildren():
                return self._stop_children()
            case _:
                return super().receive(message)
        return None

    def teardown(self) -> None:
        self._stop_children()

    # Starting

    def _add(self, spec: ChildSpec) -> None:
        known = self._children.get(spec.name)
        if self._stopping or (known is not None and known.state is not ChildState.STOPPED):
            return
        child = _Child(spec)
        if known is not None:  # its next life must not be taken for the last one
            child.incarnation = known.incarnation
        self._children[spec.name] = child
        self._to_start.append(spec.name)
        self._start_next()

    def _start_next(self) -> None:
        """Start the next waiting child, once the one before it is ready.

        While the tree comes up, a child that has to be restarted still holds back the next one:
        later children may count on earlier ones.
        """
        not_ready = {ChildState.STARTING}
        if self._announce_tree:
            not_ready.add(ChildState.RESTARTING)
        if self._stopping or any(child.state in not_ready for child in self._children.values()):
            return
        if self._to_start:
            self._start(self._children[self._to_start.popleft()])
        elif self._announce_tree:
            self._announce_tree = False
            self._observe(TreeStarted())

    def _start(self, child: _Child) -> None:
        child.incarnation += 1
        child.state = ChildState.STARTING
        child.thread = None
        context = ChildContext(child.spec.name, child.incarnation, self._directory, self._tell_self)
        try:
            child.ref = child.spec.factory(context)
        except Exception as error:  # noqa: BLE001 - a constructor that raises is a crash too
            child.ref = None
            self._tell_self(ChildEnded(child.spec.name, child.incarnation, error))

    def _child_ready(self, notice: ChildReady) -> None:
        child = self._children[notice.name]
        if child.incarnation != notice.incarnation or child.state is not ChildState.STARTING:
            return
        child.state = ChildState.RUNNING
        child.thread = notice.thread
        self._observe(ChildStarted(notice.name, child.restarts))
        self._start_next()

    # Ends

    def _child_ended(self, notice: ChildEnded) -> None:
        child = self._children[notice.name]
        if child.incarnation != notice.incarnation or child.state not in (
            ChildState.STARTING,
            ChildState.RUNNING,
        ):
            return
        self._directory.remove(notice.name)
        if notice.error is not None:
            child.last_error = notice.error
            self._observe(ChildCrashed(notice.name, notice.error))
        if self._stopping:
            child.state = ChildState.STOPPED
            return
        decision = self._ledger.decide(
            notice.name,
            child.spec.restart,
            crashed=notice.error is not None,
            now=self._timers.monotonic(),
            random=self._random(),
        )
        match decision:
            case RestartAfter(delay_s=delay_s):
                child.state = ChildState.RESTARTING
                child.restarts += 1
                self._observe(RestartScheduled(notice.name, delay_s))
                again = _StartAgain(notice.name, child.incarnation)
                self._timers.call_later(delay_s, lambda: self._tell_self(again))
            case LeaveStopped():
                child.state = ChildState.STOPPED
                self._observe(ChildStopped(notice.name))
                self._start_next()
            case GiveUp():
                child.state = ChildState.STOPPED
                self._stop_children()
                self._observe(SupervisorGaveUp(self._context.name, notice.name, notice.error))
                raise RestartIntensityExceeded(
                    f"{notice.name} ended too often; last: {notice.error!r}"
                ) from notice.error

    def _sweep(self) -> None:
        for child in self._children.values():
            if (
                child.state is ChildState.RUNNING
                and child.thread is not None
                and not child.thread.is_alive()
            ):
                error = EndedWithoutAWord(f"the thread of {child.spec.name} is gone")
                self._child_ended(ChildEnded(child.spec.name, child.incarnation, error))
        self._arm_sweep()

    def _arm_sweep(self) -> None:
        if not self._stopping:
            self._sweep_timer = self._timers.call_later(SWEEP_S, lambda: self._tell_self(_Sweep()))

    def _tell_self(self, message: object) -> None:
        """Put a message in our own mailbox, from any thread; dropped once the tree is down."""
        with contextlib.suppress(ActorDeadError):
            self.actor_ref.tell(message)

    # Stopping

    def _stop_children(self) -> tuple[str, ...]:
        self._stopping = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        left_behind = []
        for child in reversed(self._children.values()):
            if child.ref is not None and child.state in (ChildState.STARTING, ChildState.RUNNING):
                if self._stop_child(child.ref, child.spec):
                    self._observe(ChildStopped(child.spec.name))
                else:
                    left_behind.append(child.spec.name)
                    self._observe(ChildLeftBehind(child.spec.name, child.spec.shutdown_s))
            self._directory.remove(child.spec.name)
            child.state = ChildState.STOPPED
        return tuple(left_behind)

    def _stop_child(self, ref: ActorRef[Any], spec: ChildSpec) -> bool:
        try:
            ref.stop(timeout=spec.shutdown_s)
        except Timeout:
            return False
        return True

    def _status(self, child: _Child) -> ChildStatus:
        error = None if child.last_error is None else repr(child.last_error)
        return ChildStatus(child.spec.name, child.state, child.restarts, error)
