"""A supervisor for Pykka actors: starts them in order, restarts them, stops them in reverse."""

from __future__ import annotations

import contextlib
import random as random_module
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError, Timeout

from hypactors.supervision import _unhandled
from hypactors.supervision._actor import (
    ChildAlive,
    ChildContext,
    ChildEnded,
    ChildReady,
    SupervisedActor,
)
from hypactors.supervision._child import Child, ChildState
from hypactors.supervision._errors import (
    ChildHung,
    EndedWithoutAWord,
    RestartIntensityExceeded,
    StartTimedOut,
)
from hypactors.supervision._events import (
    ChildCrashed,
    ChildLeftBehind,
    ChildResponsive,
    ChildStarted,
    ChildStopped,
    ChildUnresponsive,
    RestartScheduled,
    SupervisionEvent,
    SupervisorGaveUp,
    TreeStarted,
)
from hypactors.supervision._ledger import GiveUp, LeaveStopped, RestartAfter, RestartLedger
from hypactors.supervision._order import Strategy, in_order_as_it_grew, in_order_of_start
from hypactors.supervision._plan import plan_restart, plan_starts
from hypactors.supervision._ref import stop_and_wait
from hypactors.supervision._requests import (
    ListChildren,
    StartAgain,
    StartBudgetSpent,
    StartChild,
    StopChildren,
    Sweep,
)
from hypactors.supervision._specs import Backoff, Intensity
from hypactors.supervision._watch import SWEEP_S, Finding, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypactors.supervision._child import Standing
    from hypactors.supervision._specs import ChildSpec
    from hypactors.supervision._timers import Timer, Timers

DEFAULT_INTENSITY = Intensity()
DEFAULT_BACKOFF = Backoff()


class Supervisor(SupervisedActor):
    """Restarts children that die, as ``strategy`` says. Its children share its directory.

    ``observe`` is called on the supervisor's thread for each change and must not block; what it
    raises goes to ``threading.excepthook``. ``random`` returns floats in [0, 1), for the jitter of
    the back-off. Raises ``ValueError`` for children that depend on each other or on nobody.

    Whatever a supervisor itself dies of, its children are stopped first: when it is started anew,
    so are they, and nothing of the life before runs beside them.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        children: Sequence[ChildSpec],
        timers: Timers,
        observe: Callable[[SupervisionEvent], None],
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = DEFAULT_INTENSITY,
        backoff: Backoff = DEFAULT_BACKOFF,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        super().__init__(context)
        self._children = {spec.name: Child(spec) for spec in in_order_of_start(children)}
        self._is_coming_up = True
        self._directory = context.directory
        self._timers = timers
        self._observer = observe
        self._strategy = strategy
        self._ledger = RestartLedger(intensity, backoff)
        self._random = random
        self._stopping = False
        self._watch = Watch()
        self._sweep_timer: Timer | None = None

    def setup(self) -> None:
        self._arm_sweep()
        self._start_what_can()

    def receive(self, message: Any) -> Any:
        try:
            return self._handle(message)
        except BaseException:
            self._stop_children()
            raise

    def _handle(self, message: Any) -> Any:
        match message:
            case ChildReady():
                self._child_ready(message)
            case ChildAlive():
                self._child_alive(message)
            case ChildEnded():
                self._child_ended(message)
            case StartBudgetSpent(name=name, incarnation=incarnation):
                self._start_budget_spent(name, incarnation)
            case StartAgain(tickets=tickets):
                self._start_again(tickets)
            case Sweep():
                self._sweep()
            case StartChild(spec=spec):
                self._add(spec)
            case ListChildren():
                return tuple(child.status() for child in self._children.values())
            case StopChildren(within_s=within_s):
                return self._stop_children(within_s)
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
        added = Child(spec)
        if known is not None:  # its next life must not be taken for the last one
            added.incarnation = known.incarnation
            del self._children[spec.name]  # it comes last now
        children = {**self._children, spec.name: added}
        order = in_order_as_it_grew(child.spec for child in children.values())
        self._children = {each.name: children[each.name] for each in order}
        self._start_what_can()

    def _start_what_can(self) -> None:
        if self._stopping:
            return
        starts = plan_starts(self._strategy, self._standings(), is_coming_up=self._is_coming_up)
        for name in starts.names:
            self._start(self._children[name])
        if self._is_coming_up and starts.is_everyone_through:
            self._is_coming_up = False
            self._observe(TreeStarted())

    def _standings(self) -> list[Standing]:
        return [child.standing() for child in self._children.values()]

    def _start(self, child: Child) -> None:
        child.begin_life()
        name, incarnation = child.spec.name, child.incarnation
        context = ChildContext(name, incarnation, self._directory, self._tell_self)
        try:
            child.ref = child.spec.factory(context)
        except BaseException as error:  # noqa: BLE001 - the crash of that child, whatever it is
            self._tell_self(ChildEnded(name, incarnation, error))
            return
        spent = StartBudgetSpent(name, incarnation)
        child.start_timer = self._timers.call_later(
            child.spec.start_s, lambda: self._tell_self(spent)
        )

    def _child_ready(self, notice: ChildReady) -> None:
        child = self._children[notice.name]
        if child.incarnation != notice.incarnation or child.state is not ChildState.STARTING:
            return
        child.cancel_start_timer()
        child.state = ChildState.RUNNING
        child.thread = notice.thread
        self._observe(ChildStarted(notice.name, child.restarts))
        self._start_what_can()

    def _start_budget_spent(self, name: str, incarnation: int) -> None:
        child = self._children[name]
        if child.incarnation != incarnation or child.state is not ChildState.STARTING:
            return
        child.tell_to_stop()  # its thread ends when it comes back from its setup
        error = StartTimedOut(f"{name} was not ready after {child.spec.start_s:g} s")
        self._child_ended(ChildEnded(name, incarnation, error))

    # Ends

    def _child_ended(self, notice: ChildEnded) -> None:
        child = self._children[notice.name]
        if child.incarnation != notice.incarnation or child.state not in (
            ChildState.STARTING,
            ChildState.RUNNING,
        ):
            return
        self._directory.remove(notice.name)
        child.end_life(ChildState.STOPPED)
        if notice.error is not None:
            child.last_error = notice.error
            self._observe(ChildCrashed(notice.name, notice.error))
        if self._stopping:
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
                self._restart(child, delay_s)
            case LeaveStopped():
                self._observe(ChildStopped(notice.name))
                self._start_what_can()
            case GiveUp():
                self._give_up(
                    child,
                    RestartIntensityExceeded(
                        f"{notice.name} ended too often; last: {notice.error!r}"
                    ),
                    notice.error,
                )

    def _restart(self, died: Child, delay_s: float) -> None:
        """Take down whoever goes with the one that died, and start them all after the wait."""
        plan = plan_restart(self._strategy, self._standings(), died.spec.name)
        for child in self._named(plan.stopped):
            self._stop_child(child, child.spec.shutdown_s)
        for child in self._named(plan.dropped):
            child.end_life(ChildState.STOPPED)
        group = self._named(plan.again)
        for child in group:
            child.end_life(ChildState.RESTARTING)
            child.restarts += child.incarnation > 0
            child.ticket += 1
        self._observe(RestartScheduled(died.spec.name, delay_s))
        again = StartAgain(tuple((child.spec.name, child.ticket) for child in group))
        self._timers.call_later(delay_s, lambda: self._tell_self(again))

    def _named(self, names: Sequence[str]) -> list[Child]:
        return [self._children[name] for name in names]

    def _start_again(self, tickets: tuple[tuple[str, int], ...]) -> None:
        for name, ticket in tickets:
            child = self._children[name]
            if child.state is ChildState.RESTARTING and child.ticket == ticket:
                child.state = ChildState.WAITING
        self._start_what_can()

    def _give_up(self, child: Child, why: RuntimeError, cause: BaseException | None) -> None:
        self._stop_children()
        self._observe(SupervisorGaveUp(self._context.name, child.spec.name, cause or why))
        raise why from cause

    # Watching

    def _sweep(self) -> None:
        for child, finding in self._watch.sweep(list(self._children.values())):
            name = child.spec.name
            match finding:
                case Finding.GONE:
                    error = EndedWithoutAWord(f"the thread of {name} is gone")
                    self._child_ended(ChildEnded(name, child.incarnation, error))
                case Finding.UNASKED:
                    child.ping()
                case Finding.UNRESPONSIVE:
                    self._observe(ChildUnresponsive(name, child.silent_s))
                case Finding.LOST:
                    hung = ChildHung(f"{name} has been in one message for {child.silent_s:g} s")
                    child.last_error = hung
                    self._give_up(child, hung, None)
        self._arm_sweep()

    def _child_alive(self, notice: ChildAlive) -> None:
        child = self._children[notice.name]
        if child.incarnation == notice.incarnation:
            if child.is_unresponsive:
                self._observe(ChildResponsive(notice.name))
            child.hear()

    def _arm_sweep(self) -> None:
        if not self._stopping:
            self._sweep_timer = self._timers.call_later(SWEEP_S, lambda: self._tell_self(Sweep()))

    def _tell_self(self, message: object) -> None:
        """Put a message in our own mailbox, from any thread; dropped once the tree is down."""
        with contextlib.suppress(ActorDeadError):
            self.actor_ref.tell(message)

    def _observe(self, event: SupervisionEvent) -> None:
        try:
            self._observer(event)
        except Exception as error:  # noqa: BLE001 - the tree does not come down for a log line
            _unhandled.show(error)

    # Stopping

    def _stop_children(self, within_s: float | None = None) -> tuple[str, ...]:
        self._stopping = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        deadline = None if within_s is None else self._timers.monotonic() + within_s
        left_behind = []
        for child in reversed(self._children.values()):
            if child.is_up:
                budget_s = child.spec.shutdown_s
                if deadline is not None:
                    budget_s = max(0.0, min(budget_s, deadline - self._timers.monotonic()))
                if not self._stop_child(child, budget_s):
                    left_behind.append(child.spec.name)
            child.end_life(ChildState.STOPPED)
        return tuple(left_behind)

    def _stop_child(self, child: Child, budget_s: float) -> bool:
        """Stop an actor and wait for it; say whether it ended in time."""
        name = child.spec.name
        self._directory.remove(name)
        if child.ref is None:  # it could not be made, and its end has not come to us yet
            return True
        try:
            stop_and_wait(child.ref, budget_s)
        except Timeout:
            self._observe(ChildLeftBehind(name, budget_s))
            return False
        self._observe(self._last_words(child) or ChildStopped(name))
        return True

    def _last_words(self, child: Child) -> ChildCrashed | None:
        """Return the crash of a child that ended as it was stopped, or just before."""
        life = (child.spec.name, child.incarnation)
        for notice in self.actor_inbox.take(
            lambda message: isinstance(message, ChildEnded) and message.life == life
        ):
            if notice.error is not None:
                child.last_error = notice.error
                return ChildCrashed(child.spec.name, notice.error)
        return None
