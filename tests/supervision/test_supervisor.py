"""The supervisor with real actors on manual timers: no test waits for a clock."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest
from pykka import ActorDeadError, ActorRegistry

from hypactors.supervision import (
    ActorCrashed,
    ChildContext,
    ChildCrashed,
    ChildLeftBehind,
    ChildSpec,
    ChildStarted,
    ChildState,
    ChildStatus,
    ChildStopped,
    Directory,
    EndedWithoutAWord,
    Intensity,
    ListChildren,
    Restart,
    RestartIntensityExceeded,
    RestartScheduled,
    StartChild,
    StopChildren,
    SupervisedActor,
    Supervisor,
    SupervisorGaveUp,
    TreeStarted,
)
from tests.supervision.conftest import TRAP_S, Steady, Tree, hold, raising, steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pykka import ActorRef


def crash(tree: Tree, name: str, error: BaseException | None = None) -> None:
    tree.tell(name, raising(error or ValueError("boom")))


def test_children_start_in_order_and_stop_in_reverse(tree: Tree) -> None:
    log: list[str] = []
    tree.start_and_wait(steady("a", log), steady("b", log), steady("c", log))
    assert tree.ask("supervisor", StopChildren()) == ()
    assert log == ["a started", "b started", "c started", "c stopped", "b stopped", "a stopped"]


def test_a_crashed_child_is_restarted_alone_after_its_back_off(tree: Tree) -> None:
    tree.start_and_wait(steady("a"), steady("b"))
    crash(tree, "a")
    assert tree.wait_for(RestartScheduled) == RestartScheduled("a", 1.0)
    assert tree.tell("a", "hello") is False, "nobody answers to the name in between"
    tree.timers.advance(1.0)
    assert tree.wait_for(ChildStarted) == ChildStarted("a", restarts=1)
    assert tree.ask("a", "who?") == ("a", 2)
    assert tree.ask("b", "who?") == ("b", 1)


class DiesInSetup(SupervisedActor):
    def setup(self) -> None:
        raise OSError("no such luck")


class DiesInTeardown(Steady):
    def teardown(self) -> None:
        raise OSError("no such luck")


class EndsWithoutAWord(Steady):
    """Its loop ends as if by a bug in the loop itself: no hook runs, nothing is reported."""

    def receive(self, message: Any) -> Any:
        self.actor_stopped.set()
        return message


@pytest.mark.parametrize(
    "error",
    [ValueError("boom"), SystemExit(1), KeyboardInterrupt()],
    ids=lambda e: type(e).__name__,
)
def test_an_exception_of_any_kind_is_the_crash_of_that_one_actor(
    tree: Tree, error: BaseException
) -> None:
    tree.start_and_wait(steady("a"), steady("b"))
    bystander = ActorRegistry.get_by_urn(tree.directory._refs["b"].actor_urn)
    crash(tree, "a", error)
    assert tree.wait_for(ChildCrashed) == ChildCrashed("a", error)
    tree.wait_for(RestartScheduled)
    assert bystander is not None
    assert bystander.is_alive(), "Pykka alone would have stopped every actor"


def test_an_exception_while_it_is_asked_is_a_crash_too(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    with pytest.raises(ActorCrashed, match="a crashed"):
        tree.ask("a", raising(ValueError("boom")))
    tree.wait_for(ChildCrashed)
    tree.wait_for(RestartScheduled)


def test_a_child_that_dies_in_its_setup_is_restarted_and_then_given_up(tree: Tree) -> None:
    tree.start(
        ChildSpec("a", DiesInSetup.start),
        steady("b"),
        intensity=Intensity(max_restarts=2, period_s=60),
    )
    for _ in range(2):
        tree.wait_for(RestartScheduled)
        tree.timers.advance(8)
    assert tree.wait_for(SupervisorGaveUp).child == "a"
    assert isinstance(tree.wait_for_end().error, RestartIntensityExceeded)


def test_a_factory_that_raises_counts_as_a_crash(tree: Tree) -> None:
    def broken(_context: ChildContext) -> Any:
        raise OSError("cannot even be made")

    tree.start(ChildSpec("a", broken, restart=Restart.TEMPORARY))
    assert tree.wait_for(ChildCrashed).name == "a"
    tree.wait_for(TreeStarted)


def test_while_the_tree_comes_up_later_children_wait_for_one_that_is_restarted(tree: Tree) -> None:
    lives: Iterator[Callable[[ChildContext], ActorRef[Any]]] = iter(
        [DiesInSetup.start, Steady.start]
    )
    log: list[str] = []

    def next_life(context: ChildContext) -> ActorRef[Any]:
        return next(lives)(context)

    tree.start(ChildSpec("a", next_life), steady("b", log))
    tree.wait_for(RestartScheduled)
    assert log == []
    tree.timers.advance(1)
    tree.wait_for(TreeStarted)
    assert log == ["b started"]


def test_a_thread_that_ends_without_a_word_is_found_by_the_sweep(tree: Tree) -> None:
    tree.start_and_wait(ChildSpec("a", EndsWithoutAWord.start))
    thread = next(t for t in threading.enumerate() if t.name.startswith("EndsWithoutAWord"))
    tree.tell("a", "end")
    thread.join(TRAP_S)
    tree.timers.advance(1.0)
    assert isinstance(tree.wait_for(ChildCrashed).error, EndedWithoutAWord)
    tree.wait_for(RestartScheduled)


def test_the_sweep_leaves_healthy_children_alone_and_goes_on(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    for _ in range(3):
        tree.timers.advance(1.0)
        assert tree.ask("supervisor", ListChildren()) == (
            ChildStatus("a", ChildState.RUNNING, 0, None),
        )
    assert tree.timers.pending_delays() == [1.0]


def test_a_permanent_child_that_stops_is_restarted_and_a_transient_one_is_not(tree: Tree) -> None:
    tree.start_and_wait(steady("a"), steady("b", restart=Restart.TRANSIENT))
    tree.tell("b", lambda actor: actor.stop())
    assert tree.wait_for(ChildStopped) == ChildStopped("b")
    tree.tell("a", lambda actor: actor.stop())
    assert tree.wait_for(RestartScheduled).name == "a"


def test_too_many_crashes_stop_the_children_and_end_the_supervisor(tree: Tree) -> None:
    log: list[str] = []
    tree.start_and_wait(
        steady("a"), steady("b", log), intensity=Intensity(max_restarts=1, period_s=60)
    )
    crash(tree, "a")
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1)
    tree.wait_for(ChildStarted)
    last = ValueError("the last straw")
    crash(tree, "a", last)
    assert tree.wait_for(SupervisorGaveUp) == SupervisorGaveUp("supervisor", "a", last)
    assert isinstance(tree.wait_for_end().error, RestartIntensityExceeded)
    assert log == ["b started", "b stopped"]


def test_a_supervisor_under_a_supervisor_is_restarted_with_its_children(tree: Tree) -> None:
    def inner(context: ChildContext) -> Any:
        return Supervisor.start(
            context,
            children=[steady("leaf")],
            timers=tree.timers,
            observe=lambda _event: None,
            intensity=Intensity(max_restarts=0, period_s=60),
        )

    tree.start_and_wait(ChildSpec("inner", inner))
    before = wait_until_reachable(tree.directory, "leaf")
    tree.directory.tell("leaf", raising(ValueError("boom")))
    assert tree.wait_for(ChildCrashed).name == "inner"
    tree.wait_for(RestartScheduled)
    tree.timers.advance(1)
    tree.wait_for(ChildStarted)
    assert wait_until_reachable(tree.directory, "leaf") != before


def wait_until_reachable(directory: Directory, name: str) -> str:
    reached = threading.Event()
    for _ in range(500):
        if directory.tell(name, lambda _actor: reached.set()) and reached.wait(0.01):
            return str(directory._refs[name].actor_urn)
    raise AssertionError(f"{name} is not reachable")


def test_one_more_child_can_be_started_once(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    tree.tell("supervisor", StartChild(steady("b")))
    tree.tell("supervisor", StartChild(steady("b")))
    assert tree.wait_for(ChildStarted) == ChildStarted("b", 0)
    assert [child.name for child in tree.ask("supervisor", ListChildren())] == ["a", "b"]
    assert tree.no_event()


def test_a_child_that_hangs_is_left_behind_and_named(tree: Tree) -> None:
    tree.start_and_wait(steady("a", shutdown_s=0.05), steady("b"))
    release = hold(tree, "a")
    assert tree.ask("supervisor", StopChildren()) == ("a",)
    assert tree.wait_for(ChildLeftBehind) == ChildLeftBehind("a", 0.05)
    release.set()


def test_a_crash_while_the_tree_comes_down_restarts_nothing(tree: Tree) -> None:
    tree.start_and_wait(ChildSpec("a", DiesInTeardown.start))
    assert tree.ask("supervisor", StopChildren()) == ()
    assert isinstance(tree.wait_for(ChildCrashed).error, OSError), "its end is not passed over"
    [child] = tree.ask("supervisor", ListChildren())
    assert child == ChildStatus("a", ChildState.STOPPED, 0, "OSError('no such luck')")
    tree.tell("supervisor", StartChild(steady("late")))
    assert [child.name for child in tree.ask("supervisor", ListChildren())] == ["a"]
    assert tree.timers.pending_delays() == []


def test_the_status_tells_restarts_and_the_last_error(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    crash(tree, "a")
    tree.wait_for(RestartScheduled)
    assert tree.ask("supervisor", ListChildren()) == (
        ChildStatus("a", ChildState.RESTARTING, 1, "ValueError('boom')"),
    )


def test_an_actor_that_asks_another_is_a_programming_error(tree: Tree) -> None:
    tree.start_and_wait(steady("a"), steady("b"))
    with pytest.raises(ActorCrashed) as raised:
        tree.ask("a", lambda _actor: tree.ask("b", "who?"))
    assert isinstance(raised.value.__cause__, RuntimeError)
    tree.wait_for(RestartScheduled)


def test_a_child_can_be_answered_before_its_setup_is_over(tree: Tree) -> None:
    class AsksInSetup(Steady):
        def setup(self) -> None:
            delivered: queue.SimpleQueue[bool] = queue.SimpleQueue()
            tree.tell("a", lambda _actor: delivered.put(tree.tell("b", "answer")))
            assert delivered.get(timeout=TRAP_S)

    tree.start_and_wait(steady("a"), ChildSpec("b", AsksInSetup.start))


def test_nobody_of_a_name_is_told_apart_from_a_message_that_was_delivered(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    assert tree.tell("a", "x") is True
    assert tree.tell("nobody", "x") is False
    with pytest.raises(ActorDeadError):
        tree.ask("nobody", "x")
