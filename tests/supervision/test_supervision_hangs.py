"""Actors that do not come back: from their setup, from a message, from an endless backlog."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pykka import ActorDeadError

from hypactors.supervision import (
    ChildContext,
    ChildCrashed,
    ChildEnded,
    ChildHung,
    ChildResponsive,
    ChildSpec,
    ChildStarted,
    ChildUnresponsive,
    ListChildren,
    Restart,
    RestartScheduled,
    StartTimedOut,
    StopChildren,
    SupervisorGaveUp,
)
from hypactors.supervision._watch import SWEEP_S, SWEEPS_A_PING
from tests.supervision.conftest import TRAP_S, Steady, Tree, hold, raising, steady

BACKLOG = 100_000


def sweep(tree: Tree, times: int) -> None:
    """Let that many sweeps pass, and wait for what the supervisor makes of each."""
    for _ in range(times):
        tree.timers.advance(SWEEP_S)
        tree.states()


# Setup


def test_a_setup_that_takes_too_long_is_a_crash(tree: Tree) -> None:
    release = threading.Event()
    lives: list[int] = []

    class SlowAtFirst(Steady):
        def setup(self) -> None:
            lives.append(self._context.incarnation)
            if self._context.incarnation == 1:
                release.wait(TRAP_S)

    tree.start(ChildSpec("a", SlowAtFirst.start, start_s=3.0))
    while not lives:
        tree.states()
    assert tree.states() == {"a": "starting"}
    tree.timers.advance(3.0)
    crash = tree.wait_for(ChildCrashed)
    assert isinstance(crash.error, StartTimedOut)
    assert str(crash.error) == "a was not ready after 3 s"
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1.0)
    tree.wait_for(ChildStarted)
    release.set()
    # What the first life says when it comes back at last is not taken for the second one's.
    assert tree.states() == {"a": "running"}
    assert tree.ask("a", "who?") == ("a", 2)


def test_the_budget_is_over_once_the_child_is_ready(tree: Tree) -> None:
    tree.start_and_wait(steady("a", start_s=0.5))
    assert tree.timers.pending_delays() == [SWEEP_S]


# Messages


def test_a_child_that_hangs_is_reported_once_and_when_it_is_back(tree: Tree) -> None:
    tree.start_and_wait(steady("a", hang_after_s=3.0), steady("b"))
    release = hold(tree, "a")
    sweep(tree, 12)
    assert tree.wait_for(ChildUnresponsive).name == "a"
    a, b = tree.ask("supervisor", ListChildren())
    assert (a.is_unresponsive, a.hangs) == (True, 1)
    assert (b.is_unresponsive, b.hangs) == (False, 0)
    release.set()
    assert tree.wait_for(ChildResponsive) == ChildResponsive("a")
    assert tree.no_event()
    [a, _] = tree.ask("supervisor", ListChildren())
    assert (a.is_unresponsive, a.hangs, a.restarts) == (False, 1, 0)


def test_a_permanent_child_that_never_comes_back_is_the_end_of_its_supervisor(
    tree: Tree,
) -> None:
    tree.start_and_wait(steady("a", hang_after_s=2.0, lost_after_s=4.0, shutdown_s=0.01))
    release = hold(tree, "a")
    with pytest.raises(ActorDeadError):
        sweep(tree, SWEEPS_A_PING + 5)
    gave_up = tree.wait_for(SupervisorGaveUp)
    assert gave_up.child == "a"
    assert isinstance(gave_up.error, ChildHung)
    assert isinstance(tree.wait_for_end().error, ChildHung)
    release.set()


def test_a_transient_child_may_hang_for_ever(tree: Tree) -> None:
    spec = steady("a", restart=Restart.TRANSIENT, hang_after_s=2.0, lost_after_s=4.0)
    tree.start_and_wait(spec)
    release = hold(tree, "a")
    for _ in range(30):
        tree.timers.advance(SWEEP_S)
        assert tree.states() == {"a": "running"}
    assert tree.wait_for(ChildUnresponsive).name == "a"
    release.set()
    tree.wait_for(ChildResponsive)


def test_a_program_that_stood_still_blames_nobody(tree: Tree) -> None:
    """A whole day passes between two sweeps, as in a process that was stopped meanwhile."""
    tree.start_and_wait(steady("a", hang_after_s=10.0))
    sweep(tree, SWEEPS_A_PING)
    tree.timers.advance(86_400.0)
    tree.states()
    assert tree.no_event()


def test_an_answer_is_ahead_of_a_long_mailbox(tree: Tree) -> None:
    """A ping asks whether the actor comes back from a message, not whether it has much to do."""
    tree.start_and_wait(steady("a", hang_after_s=1.0))
    release = hold(tree, "a")
    for _ in range(1000):
        tree.tell("a", "work")
    sweep(tree, SWEEPS_A_PING)
    release.set()
    assert tree.ask("a", "who?") == ("a", 1)
    assert tree.no_event()


# Backlogs


def test_a_child_stops_ahead_of_its_backlog(tree: Tree) -> None:
    handled: list[int] = []
    tree.start_and_wait(steady("a", shutdown_s=TRAP_S))
    release = hold(tree, "a")
    for _ in range(BACKLOG):
        tree.tell("a", lambda _actor: handled.append(1))
    threading.Timer(0.05, release.set).start()
    assert tree.ask("supervisor", StopChildren()) == ()
    assert handled == []


def test_whoever_had_asked_a_child_that_stops_is_told(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    release = hold(tree, "a")
    answer: list[BaseException] = []

    def ask() -> None:
        try:
            tree.ask("a", "who?")
        except ActorDeadError as error:
            answer.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while tree.directory._refs["a"].actor_inbox.empty():
        pass
    tree.directory._refs["a"].stop(block=False)
    release.set()
    asking.join(TRAP_S)
    assert len(answer) == 1
    tree.wait_for(RestartScheduled)


def test_a_supervisor_stops_ahead_of_its_backlog(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    for _ in range(BACKLOG):
        tree.tell("supervisor", ChildEnded("a", 999, None))
    assert tree.ask("supervisor", StopChildren()) == ()


def test_the_whole_shutdown_has_a_deadline(tree: Tree) -> None:
    """The clock stands still here, so a deadline of nothing leaves nobody any time."""
    tree.start_and_wait(steady("a"), steady("b"))
    releases = [hold(tree, name) for name in "ab"]
    assert tree.ask("supervisor", StopChildren(within_s=0.0)) == ("b", "a")
    for release in releases:
        release.set()


def test_what_was_left_behind_ends_when_it_comes_to_it(tree: Tree) -> None:
    log: list[str] = []
    tree.start_and_wait(steady("a", log, shutdown_s=0.01))
    release = hold(tree, "a")
    thread = next(t for t in threading.enumerate() if t.name.startswith("Steady"))
    assert tree.ask("supervisor", StopChildren()) == ("a",)
    release.set()
    thread.join(TRAP_S)
    assert log == ["a started", "a stopped"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_failure_hook_that_dies_hides_nothing(tree: Tree) -> None:
    class DiesTwice(Steady):
        def on_failure(self, *_error: object) -> None:
            raise SystemExit

    def factory(context: ChildContext) -> Any:
        return DiesTwice.start(context)

    tree.start_and_wait(ChildSpec("a", factory), steady("b"))
    tree.tell("a", raising(ValueError("boom")))
    tree.wait_for(RestartScheduled)
    assert tree.ask("b", "who?") == ("b", 1)
