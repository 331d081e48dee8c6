"""Children that are tied together: dependencies, rest-for-one, one-for-all."""

from __future__ import annotations

from typing import Any

import pytest

from hypactors.supervision import (
    ChildContext,
    ChildCrashed,
    ChildLeftBehind,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    Intensity,
    Restart,
    RestartScheduled,
    StartChild,
    Strategy,
    SupervisorGaveUp,
    TreeStarted,
)
from tests.supervision.conftest import Steady, Tree, hold, raising, steady

BOOM = ValueError("boom")


def test_a_child_starts_when_what_it_depends_on_runs(tree: Tree) -> None:
    log: list[str] = []
    tree.start_and_wait(steady("a", log, depends_on=("c",)), steady("b", log), steady("c", log))
    assert log == ["b started", "c started", "a started"]
    tree.stop()
    assert log[3:] == ["a stopped", "c stopped", "b stopped"]


def test_one_that_comes_back_waits_for_what_it_depends_on(tree: Tree) -> None:
    tree.start_and_wait(steady("a"), steady("b", depends_on=("a",)))
    tree.tell("b", raising(BOOM))
    tree.wait_for(RestartScheduled)
    tree.timers.advance(0.5)
    tree.tell("a", raising(BOOM))
    tree.wait_for(RestartScheduled)
    tree.timers.advance(0.5)  # b's turn, and a is not there
    assert tree.states() == {"a": "restarting", "b": "waiting"}
    tree.timers.advance(0.5)
    assert tree.wait_for(ChildStarted).name == "a"
    assert tree.wait_for(ChildStarted).name == "b"


def test_the_tree_is_up_also_when_a_child_waits_for_one_that_has_ended_for_good(
    tree: Tree,
) -> None:
    def broken(_context: ChildContext) -> Any:
        raise OSError("cannot even be made")

    ended = ChildSpec("a", broken, restart=Restart.TEMPORARY)
    tree.start(ended, steady("b", depends_on=("a",)), steady("c"))
    tree.wait_for(TreeStarted)
    assert tree.states() == {"a": "stopped", "b": "waiting", "c": "running"}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["b started"]),
        (Strategy.REST_FOR_ONE, ["d stopped", "c stopped", "b started", "c started", "d started"]),
        (
            Strategy.ONE_FOR_ALL,
            [
                *("d stopped", "c stopped", "a stopped"),
                *("a started", "b started", "c started", "d started"),
            ],
        ),
    ],
)
def test_siblings_stop_in_reverse_and_start_in_order(
    tree: Tree, strategy: Strategy, expected: list[str]
) -> None:
    log: list[str] = []
    tree.start_and_wait(*(steady(name, log) for name in "abcd"), strategy=strategy)
    log.clear()
    tree.tell("b", raising(BOOM))
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1.0)
    last = expected[-1][0]
    while tree.wait_for(ChildStarted).name != last:
        pass
    assert log == expected
    assert set(tree.states().values()) == {"running"}


def test_nobody_of_the_group_comes_back_before_the_back_off(tree: Tree) -> None:
    tree.start_and_wait(steady("a"), steady("b"), strategy=Strategy.ONE_FOR_ALL)
    tree.tell("b", raising(BOOM))
    tree.wait_for(RestartScheduled)
    assert tree.states() == {"a": "restarting", "b": "restarting"}
    tree.timers.advance(0.99)
    assert tree.states() == {"a": "restarting", "b": "restarting"}


def test_a_temporary_sibling_is_not_brought_back(tree: Tree) -> None:
    tree.start_and_wait(
        steady("a"), steady("b", restart=Restart.TEMPORARY), strategy=Strategy.ONE_FOR_ALL
    )
    tree.tell("a", raising(BOOM))
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1.0)
    assert tree.wait_for(ChildStarted).name == "a"
    assert tree.states() == {"a": "running", "b": "stopped"}


def test_the_restart_of_a_group_counts_once(tree: Tree) -> None:
    tree.start_and_wait(
        *(steady(name) for name in "abc"),
        strategy=Strategy.ONE_FOR_ALL,
        intensity=Intensity(max_restarts=1, period_s=60),
    )
    tree.tell("a", raising(BOOM))
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1.0)
    while tree.wait_for(ChildStarted).name != "c":
        pass
    tree.tell("c", raising(BOOM))
    assert tree.wait_for(SupervisorGaveUp).child == "c"


def test_a_second_crash_takes_the_whole_group_back_again(tree: Tree) -> None:
    """B dies as it comes back: a, which was there before it, goes down once more."""
    lives = iter([False, True, False])

    log: list[str] = []

    def factory(context: ChildContext) -> Any:
        if next(lives):
            raise OSError("not this time")
        return Steady.start(context, log)

    tree.start_and_wait(
        steady("a", log),
        ChildSpec("b", factory),
        strategy=Strategy.ONE_FOR_ALL,
    )
    log.clear()
    tree.tell("b", raising(BOOM))
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1.0)
    assert tree.wait_for(RestartScheduled).delay_s == 2.0
    tree.timers.advance(2.0)
    while tree.wait_for(ChildStarted).name != "b":
        pass
    assert log == ["a stopped", "a started", "a stopped", "a started", "b started"]


def test_a_sibling_that_hangs_costs_its_budget_and_is_named(tree: Tree) -> None:
    tree.start_and_wait(steady("a"), steady("b", shutdown_s=0.05), strategy=Strategy.REST_FOR_ONE)
    release = hold(tree, "b")
    tree.tell("a", raising(BOOM))
    assert tree.wait_for(ChildLeftBehind).name == "b"
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1.0)
    while tree.wait_for(ChildStarted).name != "b":
        pass
    assert tree.ask("b", "who?") == ("b", 2)
    release.set()


def test_a_child_that_has_stopped_for_good_stays_so(tree: Tree) -> None:
    tree.start_and_wait(
        steady("a"), steady("b", restart=Restart.TRANSIENT), strategy=Strategy.ONE_FOR_ALL
    )
    tree.tell("b", lambda actor: actor.stop())
    tree.wait_for(ChildStopped)
    tree.tell("a", raising(BOOM))
    tree.wait_for(ChildCrashed)
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1.0)
    tree.wait_for(ChildStarted)
    assert tree.states() == {"a": "running", "b": "stopped"}


def test_one_that_was_added_later_is_the_last_of_the_group(tree: Tree) -> None:
    log: list[str] = []
    tree.start_and_wait(steady("a", log), strategy=Strategy.REST_FOR_ONE)
    tree.tell("supervisor", StartChild(steady("b", log)))
    tree.wait_for(ChildStarted)
    log.clear()
    tree.tell("a", raising(BOOM))
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1.0)
    while tree.wait_for(ChildStarted).name != "b":
        pass
    assert log == ["b stopped", "a started", "b started"]
