"""Every restart type, by every way of dying, under every strategy; then stopped in every way.

What must follow is worked out by a small model written from the rules of OTP's supervisors, apart
from the code. Three children a, b, c; it is always b that dies.
"""

from __future__ import annotations

import enum
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from pykka import ActorDeadError

from hypactors.supervision import (
    ActorCrashed,
    ChildCrashed,
    ChildHung,
    ChildLeftBehind,
    ChildResponsive,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    ChildUnresponsive,
    EndedWithoutAWord,
    Intensity,
    Restart,
    RestartIntensityExceeded,
    RestartScheduled,
    StartTimedOut,
    StopChildren,
    Strategy,
    Supervisor,
    SupervisorGaveUp,
)
from hypactors.supervision._watch import SWEEP_S
from tests.supervision.conftest import TRAP_S, Steady, Tree, hold, raising, steady

if TYPE_CHECKING:
    from hypactors.supervision import ChildContext


class Death(enum.Enum):
    RECEIVE = "exception in a message"
    ASKED = "exception while it is asked"
    SYSTEM_EXIT = "SystemExit"
    INTERRUPT = "KeyboardInterrupt"
    PROXY = "SystemExit in a call by a proxy"
    HOOK = "exception in a message, and SystemExit in the failure hook"
    TEARDOWN = "exception as it stops by itself"
    SILENT = "its thread is gone without a word"
    SETUP = "exception in the setup of its next life"
    CONSTRUCTOR = "its next life cannot even be made"
    SLOW_SETUP = "the setup of its next life takes too long"
    STOP = "it stops by itself"


OF_THE_NEXT_LIFE = {Death.SETUP, Death.CONSTRUCTOR, Death.SLOW_SETUP}
"""The child dies of an exception first, and when it comes back it dies of this."""

FAULTS = {
    Death.RECEIVE: ValueError("boom"),
    Death.ASKED: ValueError("boom"),
    Death.SYSTEM_EXIT: SystemExit(1),
    Death.INTERRUPT: KeyboardInterrupt(),
    Death.PROXY: SystemExit(1),
    Death.HOOK: ValueError("boom"),
    Death.TEARDOWN: OSError("as it stops"),
    Death.SETUP: OSError("as it starts"),
    Death.CONSTRUCTOR: OSError("as it is made"),
}


class Shutdown(enum.Enum):
    ASKED = "the children, by a question"
    HURRIED = "the children, within a time"
    STOPPED = "the supervisor, which stops them"
    CRASHED = "the supervisor dies itself"
    HANGING = "the children, one of which hangs"


class Fragile(Steady):
    """Dies as it is told to; a later life may die as it starts."""

    def __init__(
        self, context: ChildContext, log: list[str], death: Death, go_on: threading.Event
    ) -> None:
        if death is Death.CONSTRUCTOR and context.incarnation == 2:
            raise FAULTS[death]
        super().__init__(context, log)
        self._death = death
        self._go_on = go_on

    def setup(self) -> None:
        if self._context.incarnation == 2:
            if self._death is Death.SETUP:
                raise FAULTS[self._death]
            if self._death is Death.SLOW_SETUP:
                self._go_on.wait(TRAP_S)
        super().setup()

    def receive(self, message: Any) -> Any:
        if message is Death.SILENT:
            self.actor_stopped.set()
            return None
        return super().receive(message)

    def die_of(self, error: BaseException) -> None:
        raise error

    def on_failure(self, *_error: object) -> None:
        if self._death is Death.HOOK:
            raise SystemExit

    def teardown(self) -> None:
        if self._death is Death.TEARDOWN and self._context.incarnation == 1:
            raise FAULTS[self._death]
        super().teardown()


def fragile(log: list[str], restart: Restart, death: Death) -> tuple[ChildSpec, threading.Event]:
    """Return b, and the event that ends a setup which takes too long."""
    go_on = threading.Event()

    def factory(context: ChildContext) -> Any:
        return Fragile.start(context, log, death, go_on)

    return ChildSpec("b", factory, restart=restart, start_s=1000.0), go_on


def thread_of(tree: Tree, name: str) -> threading.Thread:
    thread: threading.Thread = tree.ask(name, lambda _actor: threading.current_thread())
    return thread


def kill(tree: Tree, death: Death) -> None:
    """Let b die, or what comes first: die in a life the next of which dies in its own way."""
    match death:
        case Death.STOP | Death.TEARDOWN:
            tree.tell("b", lambda actor: actor.stop())
        case Death.SILENT:
            thread = thread_of(tree, "b")
            tree.tell("b", Death.SILENT)
            thread.join(TRAP_S)
            tree.timers.advance(1.0)
        case Death.ASKED:
            with pytest.raises(ActorCrashed, match="b crashed"):
                tree.ask("b", raising(FAULTS[death]))
        case Death.PROXY:
            with pytest.raises(ActorCrashed, match="b crashed"):
                tree.directory._refs["b"].proxy().die_of(FAULTS[death]).get(timeout=TRAP_S)
        case Death.SETUP | Death.CONSTRUCTOR | Death.SLOW_SETUP:
            tree.tell("b", raising(ValueError("its first life")))
        case _:
            tree.tell("b", raising(FAULTS[death]))


def bring_about(tree: Tree, death: Death) -> None:
    """Let b die, and wait until its supervisor has heard of it."""
    kill(tree, death)
    if death is Death.STOP:
        return
    crash = tree.wait_for(ChildCrashed)
    assert crash.name == "b"
    if death is Death.SILENT:
        assert isinstance(crash.error, EndedWithoutAWord)
    elif death not in OF_THE_NEXT_LIFE:
        assert crash.error is FAULTS[death]


# The model


def comes_back(restart: Restart, death: Death) -> bool:
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return death is not Death.STOP
        case Restart.TEMPORARY:
            return False


GROUPS = {
    Strategy.ONE_FOR_ONE: "b",
    Strategy.REST_FOR_ONE: "bc",
    Strategy.ONE_FOR_ALL: "abc",
}


def lives_after(strategy: Strategy, restart: Restart, death: Death) -> dict[str, int]:
    """Return the incarnation that each child is in when all is quiet again; 0 is none."""
    if not comes_back(restart, death):
        return {"a": 1, "b": 0, "c": 1}
    group = GROUPS[strategy]
    if death not in OF_THE_NEXT_LIFE:
        return {name: 2 if name in group else 1 for name in "abc"}
    # b died again before c's turn came, and after a's.
    again = {"a": 3, "b": 3, "c": 2}
    return {name: again[name] if name in group else 1 for name in "abc"}


CASES = list(itertools.product(Strategy, Restart, Death))


def case_name(value: object) -> str:
    return value.name.lower() if isinstance(value, enum.Enum) else str(value)


def let_back_offs_pass(tree: Tree, death: Death) -> None:
    """Let b come back, and if it dies as it starts, once more."""
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1.0)
    if death not in OF_THE_NEXT_LIFE:
        return
    if death is Death.SLOW_SETUP:
        while tree.states()["b"] != "starting":
            pass
        tree.timers.advance(1000.0)
    crash = tree.wait_for(ChildCrashed)
    if death is Death.SLOW_SETUP:
        assert isinstance(crash.error, StartTimedOut)
    else:
        assert crash.error is FAULTS[death]
    tree.timers.advance(tree.wait_for(RestartScheduled).delay_s)


def shut_down(tree: Tree, shutdown: Shutdown) -> None:
    match shutdown:
        case Shutdown.ASKED:
            assert tree.ask("supervisor", StopChildren()) == ()
        case Shutdown.HURRIED:
            assert tree.ask("supervisor", StopChildren(within_s=TRAP_S)) == ()
        case Shutdown.STOPPED:
            assert tree.directory._refs["supervisor"].stop(timeout=TRAP_S)
        case Shutdown.CRASHED:
            tree.tell("supervisor", raising)  # nothing that it knows
            assert isinstance(tree.wait_for_end().error, TypeError)
        case Shutdown.HANGING:
            thread, release = thread_of(tree, "a"), hold(tree, "a")
            assert tree.ask("supervisor", StopChildren()) == ("a",)
            assert tree.wait_for(ChildLeftBehind).name == "a"
            release.set()
            thread.join(TRAP_S)
    assert [tree.tell(name, "are you there?") for name in "abc"] == [False] * 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("shutdown", Shutdown, ids=case_name)
@pytest.mark.parametrize(("strategy", "restart", "death"), CASES, ids=case_name)
def test_what_follows_a_death(
    tree: Tree, strategy: Strategy, restart: Restart, death: Death, shutdown: Shutdown
) -> None:
    log: list[str] = []
    b, go_on = fragile(log, restart, death)
    budget_s = 0.002 if shutdown is Shutdown.HANGING else TRAP_S
    tree.start_and_wait(
        steady("a", log, shutdown_s=budget_s), b, steady("c", log), strategy=strategy
    )
    expected = lives_after(strategy, restart, death)
    bring_about(tree, death)
    if comes_back(restart, death):
        let_back_offs_pass(tree, death)
    else:
        tree.wait_for(ChildStopped)
    go_on.set()
    tree.wait_for_states({name: "running" if expected[name] else "stopped" for name in "abc"})
    lives = {name: tree.ask(name, "who?")[1] for name in "abc" if expected[name]}
    assert lives == {name: life for name, life in expected.items() if life}
    log.clear()
    shut_down(tree, shutdown)
    assert log == [f"{name} stopped" for name in "cba" if expected[name]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(("strategy", "restart", "death"), CASES, ids=case_name)
def test_what_follows_a_death_too_many(
    tree: Tree, strategy: Strategy, restart: Restart, death: Death
) -> None:
    """With no restart allowed: the parent's restart of the supervisor makes all anew, or none."""
    log: list[str] = []
    given_up: list[SupervisorGaveUp] = []
    b, _ = fragile(log, restart, death)

    def inner(context: ChildContext) -> Any:
        return Supervisor.start(
            context,
            children=[steady("a", log), b, steady("c", log)],
            timers=tree.timers,
            observe=lambda event: (
                given_up.append(event) if isinstance(event, SupervisorGaveUp) else None
            ),
            strategy=strategy,
            intensity=Intensity(max_restarts=0, period_s=60),
        )

    tree.start_and_wait(ChildSpec("inner", inner, restart=Restart.TRANSIENT))
    all_up = dict.fromkeys("abc", "running")
    tree.wait_for_states(all_up, "inner")
    log.clear()
    kill(tree, death)
    first = Death.RECEIVE if death in OF_THE_NEXT_LIFE else death
    if not comes_back(restart, first):
        tree.wait_for_states({**all_up, "b": "stopped"}, "inner")
        assert not given_up
        return
    crash = tree.wait_for(ChildCrashed)
    assert crash.name == "inner"
    assert isinstance(crash.error, RestartIntensityExceeded)
    assert [event.child for event in given_up] == ["b"]
    assert [line for line in log if not line.startswith("b")] == ["c stopped", "a stopped"]
    tree.timers.advance(tree.wait_for(RestartScheduled).delay_s)
    assert tree.wait_for(ChildStarted).name == "inner"
    tree.wait_for_states(all_up, "inner")
    assert tree.ask("a", "who?") == ("a", 1), "all of its children are new"


@pytest.mark.parametrize("restart", Restart, ids=case_name)
@pytest.mark.parametrize("strategy", Strategy, ids=case_name)
def test_what_follows_a_hang(tree: Tree, strategy: Strategy, restart: Restart) -> None:
    """Nothing can end a thread: a permanent one that hangs is the end of its supervisor."""
    log: list[str] = []
    b = steady("b", log, restart=restart, hang_after_s=2.0, lost_after_s=4.0, shutdown_s=0.002)
    tree.start_and_wait(steady("a", log), b, steady("c", log), strategy=strategy)
    thread, release = thread_of(tree, "b"), hold(tree, "b")
    log.clear()
    for _ in range(8):
        tree.timers.advance(SWEEP_S)
        tree.states()
    assert tree.wait_for(ChildUnresponsive).name == "b"
    if restart is not Restart.PERMANENT:
        release.set()
        assert tree.wait_for(ChildResponsive).name == "b"
        assert tree.ask("b", "who?") == ("b", 1)
        return
    tree.timers.advance(SWEEP_S)
    with pytest.raises(ActorDeadError):
        tree.states()
    assert tree.wait_for(ChildLeftBehind).name == "b"
    assert isinstance(tree.wait_for_end().error, ChildHung)
    assert log == ["c stopped", "a stopped"]
    release.set()
    thread.join(TRAP_S)
