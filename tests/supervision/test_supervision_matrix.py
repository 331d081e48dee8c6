"""Every restart type, by every way of dying, under every strategy; then given up, then stopped.

What must follow is worked out by a small model written from the rules of OTP's supervisors, apart
from the code. Three children a, b, c; it is always b that dies.
"""

from __future__ import annotations

import enum
import faulthandler
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.supervision import (
    ChildCrashed,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    EndedWithoutAWord,
    Intensity,
    ListChildren,
    Restart,
    RestartIntensityExceeded,
    RestartScheduled,
    StartTimedOut,
    StopChildren,
    Strategy,
    SupervisedActor,
    Supervisor,
    SupervisorGaveUp,
)
from tests.supervision.conftest import TRAP_S, Steady, Tree, raising, steady

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from hypactors.supervision import ChildContext


@pytest.fixture(autouse=True)
def time_trap() -> Iterator[None]:
    """Show where every thread is, and end the run, should a case ever hang."""
    faulthandler.dump_traceback_later(12 * TRAP_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


class Death(enum.Enum):
    RECEIVE = "exception in a message"
    ASKED = "exception while it is asked"
    SYSTEM_EXIT = "SystemExit"
    INTERRUPT = "KeyboardInterrupt"
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
    Death.TEARDOWN: OSError("as it stops"),
    Death.SETUP: OSError("as it starts"),
    Death.CONSTRUCTOR: OSError("as it is made"),
}


class Fragile(Steady):
    """Dies as it is told to; a later life may die as it starts."""

    def __init__(self, context: ChildContext, log: list[str], death: Death) -> None:
        if death is Death.CONSTRUCTOR and context.incarnation == 2:
            raise FAULTS[death]
        super().__init__(context, log)
        self._death = death

    def setup(self) -> None:
        if self._context.incarnation == 2:
            if self._death is Death.SETUP:
                raise FAULTS[self._death]
            if self._death is Death.SLOW_SETUP:
                self.actor_stopped.wait(0.2)  # long for a budget that a manual clock ends at once
        super().setup()

    def receive(self, message: Any) -> Any:
        if message is Death.SILENT:
            self.actor_stopped.set()
            return None
        return super().receive(message)

    def teardown(self) -> None:
        if self._death is Death.TEARDOWN and self._context.incarnation == 1:
            raise FAULTS[self._death]
        super().teardown()


def fragile(log: list[str], restart: Restart, death: Death) -> ChildSpec:
    return ChildSpec(
        "b", lambda context: Fragile.start(context, log, death), restart=restart, start_s=1000.0
    )


def thread_of(tree: Tree, name: str) -> threading.Thread:
    found: list[threading.Thread] = []

    def note(_actor: SupervisedActor) -> None:
        import threading  # noqa: PLC0415 - for its function; the type is imported for checking

        found.append(threading.current_thread())

    tree.ask(name, note)
    return found[0]


def bring_about(tree: Tree, death: Death) -> None:
    """Let b die, and wait until its supervisor has heard of it."""
    match death:
        case Death.STOP | Death.TEARDOWN:
            tree.tell("b", lambda actor: actor.stop())
        case Death.SILENT:
            thread = thread_of(tree, "b")
            tree.tell("b", Death.SILENT)
            thread.join(TRAP_S)
            tree.timers.advance(1.0)
        case Death.ASKED:
            with pytest.raises(Exception, match="b crashed"):
                tree.ask("b", raising(FAULTS[death]))
        case Death.SETUP | Death.CONSTRUCTOR | Death.SLOW_SETUP:
            tree.tell("b", raising(ValueError("its first life")))
        case _:
            tree.tell("b", raising(FAULTS[death]))
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
    if death in OF_THE_NEXT_LIFE:
        if death is Death.SLOW_SETUP:
            while tree.states()["b"] != "starting":
                pass
            tree.timers.advance(1000.0)
        crash = tree.wait_for(ChildCrashed)
        if death is Death.SLOW_SETUP:
            assert isinstance(crash.error, StartTimedOut)
        else:
            assert crash.error is FAULTS[death]
        delay_s = tree.wait_for(RestartScheduled).delay_s
        tree.timers.advance(delay_s)


def wait_until_quiet(tree: Tree, expected: dict[str, int]) -> dict[str, int]:
    """Wait for the last child of the group that comes back, then ask all who they are."""
    goal = {name: "running" if life else "stopped" for name, life in expected.items()}
    while tree.states() != goal:
        tree.wait_for(ChildStarted)
    return {
        name: tree.ask(name, "who?")[1] if state == "running" else 0 for name, state in goal.items()
    }


@pytest.mark.parametrize(("strategy", "restart", "death"), CASES, ids=case_name)
def test_what_follows_a_death(
    tree: Tree, strategy: Strategy, restart: Restart, death: Death
) -> None:
    log: list[str] = []
    tree.start_and_wait(
        steady("a", log), fragile(log, restart, death), steady("c", log), strategy=strategy
    )
    expected = lives_after(strategy, restart, death)
    bring_about(tree, death)
    if comes_back(restart, death):
        let_back_offs_pass(tree, death)
    else:
        tree.wait_for(ChildStopped)
    assert wait_until_quiet(tree, expected) == expected
    log.clear()
    assert tree.ask("supervisor", StopChildren()) == ()
    alive = [name for name in "cba" if expected[name]]
    assert log == [f"{name} stopped" for name in alive]
    assert {child.state for child in tree.ask("supervisor", ListChildren())} == {"stopped"}


@pytest.mark.parametrize(("strategy", "restart", "death"), CASES, ids=case_name)
def test_what_follows_a_death_too_many(
    tree: Tree, strategy: Strategy, restart: Restart, death: Death
) -> None:
    """With no restart allowed: the parent's restart of the supervisor makes all anew, or none."""
    log: list[str] = []
    given_up: list[SupervisorGaveUp] = []

    def inner(context: ChildContext) -> Any:
        return Supervisor.start(
            context,
            children=[steady("a", log), fragile(log, restart, death), steady("c", log)],
            timers=tree.timers,
            observe=lambda event: (
                given_up.append(event) if isinstance(event, SupervisorGaveUp) else None
            ),
            strategy=strategy,
            intensity=Intensity(max_restarts=0, period_s=60),
        )

    tree.start_and_wait(ChildSpec("inner", inner, restart=Restart.TRANSIENT))
    while not tree.directory.tell("c", "are you there?"):
        pass
    first = death if death not in OF_THE_NEXT_LIFE else Death.RECEIVE
    log.clear()
    if first is Death.SILENT:
        thread = thread_of(tree, "b")
        tree.tell("b", Death.SILENT)
        thread.join(TRAP_S)
        tree.timers.advance(1.0)
    elif first in (Death.STOP, Death.TEARDOWN):
        tree.tell("b", lambda actor: actor.stop())
    else:
        tree.tell("b", raising(FAULTS[first]))
    if not comes_back(restart, first):
        while (
            next(c for c in tree.ask("inner", ListChildren()) if c.name == "b").state != "stopped"
        ):
            pass
        assert not given_up
        return
    crash = tree.wait_for(ChildCrashed)
    assert crash.name == "inner"
    assert isinstance(crash.error, RestartIntensityExceeded)
    assert [event.child for event in given_up] == ["b"]
    assert [line for line in log if not line.startswith("b")] == ["c stopped", "a stopped"]
    tree.timers.advance(tree.wait_for(RestartScheduled).delay_s)
    assert tree.wait_for(ChildStarted).name == "inner"
    while not tree.directory.tell("c", "are you there?"):
        pass
    assert tree.ask("a", "who?") == ("a", 1), "all of its children are new"
