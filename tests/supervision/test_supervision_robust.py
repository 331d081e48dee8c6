"""What the supervisor itself can die of, and what it must not die of."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.supervision import (
    ChildContext,
    ChildCrashed,
    ChildReady,
    ChildSpec,
    ChildStarted,
    ChildState,
    ChildStopped,
    ListChildren,
    Restart,
    RestartScheduled,
    StartChild,
    StartTimedOut,
    StopChildren,
    Strategy,
    Supervisor,
    ThreadTimers,
    TreeStarted,
)
from tests.supervision.conftest import TRAP_S, Steady, Tree, hold, raising, steady

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOM = ValueError("boom")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[queue.Queue[BaseException | None]]:
    """Return what goes to ``threading.excepthook``."""
    errors: queue.Queue[BaseException | None] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", lambda args: errors.put(args.exc_value))
    yield errors
    assert errors.empty()


def test_a_supervisor_that_crashes_takes_its_children_along(tree: Tree) -> None:
    log: list[str] = []
    tree.start_and_wait(steady("a", log), steady("b", log))
    tree.tell("supervisor", "nothing that it knows")
    assert isinstance(tree.wait_for_end().error, TypeError)
    assert log == ["a started", "b started", "b stopped", "a stopped"]


def test_the_children_of_a_supervisor_that_crashed_do_not_live_beside_their_next_life(
    tree: Tree,
) -> None:
    log: list[str] = []

    def inner(context: ChildContext) -> Any:
        return Supervisor.start(
            context,
            children=[steady("leaf", log)],
            timers=tree.timers,
            observe=lambda event: (
                tree.tell("outside", event) if isinstance(event, TreeStarted) else None
            ),
        )

    up = threading.Semaphore(0)

    class Outside(Steady):
        def receive(self, _message: Any) -> Any:
            up.release()

    tree.start_and_wait(ChildSpec("outside", Outside.start), ChildSpec("inner", inner))
    assert up.acquire(timeout=TRAP_S)
    tree.tell("inner", "nothing that it knows")
    tree.timers.advance(tree.wait_for(RestartScheduled).delay_s)
    assert up.acquire(timeout=TRAP_S)
    assert log == ["leaf started", "leaf stopped", "leaf started"]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()], ids=repr)
def test_a_constructor_cannot_end_the_supervisor(tree: Tree, error: BaseException) -> None:
    def broken(_context: ChildContext) -> Any:
        raise error

    tree.start_and_wait(steady("a"), ChildSpec("b", broken, restart=Restart.TEMPORARY))
    assert tree.states() == {"a": "running", "b": "stopped"}


def test_an_observer_that_raises_is_shown_and_changes_nothing(
    tree: Tree, shown: queue.Queue[BaseException | None]
) -> None:
    full = OSError("no space left for the log")

    def observe(event: object) -> None:
        if isinstance(event, ChildCrashed):
            raise full

    tree.start_and_wait(
        ChildSpec(
            "inner",
            lambda context: Supervisor.start(
                context, children=[steady("leaf")], timers=tree.timers, observe=observe
            ),
        )
    )
    while not tree.tell("leaf", raising(BOOM)):
        pass
    assert shown.get(timeout=TRAP_S) is full
    [leaf] = tree.ask("inner", ListChildren())
    assert leaf.state is ChildState.RESTARTING


def test_a_timer_that_raises_is_shown_and_the_others_go_on(
    shown: queue.Queue[BaseException | None],
) -> None:
    timers = ThreadTimers()
    rang = threading.Event()

    def fail() -> None:
        raise BOOM

    timers.call_later(0, fail)
    timers.call_later(0, rang.set)
    assert rang.wait(TRAP_S)
    assert shown.get(timeout=TRAP_S) is BOOM
    timers.close()


def test_a_life_that_was_given_up_before_it_began_does_not_begin(tree: Tree) -> None:
    log: list[str] = []
    release = threading.Event()
    threads: list[threading.Thread] = []

    class StartsLate(Steady):
        def _start_actor_loop(self) -> None:
            def run() -> None:
                release.wait(TRAP_S)
                self._actor_loop()

            threads.append(threading.Thread(target=run, daemon=True))
            threads[-1].start()

    tree.start(ChildSpec("a", lambda context: StartsLate.start(context, log), start_s=3.0))
    assert tree.states() == {"a": "starting"}
    tree.timers.advance(3.0)
    assert isinstance(tree.wait_for(ChildCrashed).error, StartTimedOut)
    release.set()
    threads[0].join(TRAP_S)
    assert log == []
    assert not tree.tell("a", "hello"), "nor is it reached under its name"
    tree.timers.advance(tree.wait_for(RestartScheduled).delay_s)
    tree.wait_for(ChildStarted)
    assert log == ["a started"]


def test_notices_of_an_earlier_life_change_nothing(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    tree.tell("a", raising(BOOM))
    tree.timers.advance(tree.wait_for(RestartScheduled).delay_s)
    tree.wait_for(ChildStarted)
    tree.tell("supervisor", ChildReady("a", 1, threading.current_thread()))
    assert tree.states() == {"a": "running"}
    assert tree.no_event()


def test_a_sibling_that_dies_as_it_is_stopped_is_seen_and_counts_no_restart(tree: Tree) -> None:
    last = OSError("as it stops")

    class DiesAsItStops(Steady):
        def teardown(self) -> None:
            if self._context.incarnation == 1:
                raise last

    tree.start_and_wait(
        steady("a"), ChildSpec("b", DiesAsItStops.start), strategy=Strategy.ONE_FOR_ALL
    )
    tree.tell("a", raising(BOOM))
    assert tree.wait_for(ChildCrashed).error is BOOM
    assert tree.wait_for(ChildCrashed).error is last
    scheduled = tree.wait_for(RestartScheduled)
    assert (scheduled.name, scheduled.delay_s) == ("a", 1.0)
    tree.timers.advance(1.0)
    tree.wait_for_states({"a": "running", "b": "running"})


def test_a_stop_during_a_back_off_starts_nothing(tree: Tree) -> None:
    tree.start_and_wait(steady("a"), steady("b"))
    tree.tell("b", raising(BOOM))
    tree.wait_for(RestartScheduled)
    assert tree.ask("supervisor", StopChildren()) == ()
    tree.timers.advance(10.0)
    assert tree.states() == {"a": "stopped", "b": "stopped"}
    assert tree.wait_for(ChildStopped).name == "a"
    assert tree.no_event()


def test_the_program_may_hang_up_while_children_stop(tree: Tree) -> None:
    """The edge has stopped to wait; the children are stopped all the same."""
    log: list[str] = []
    tree.start_and_wait(steady("a", log), steady("b", log))
    release = hold(tree, "b")
    answer = tree.directory._refs["supervisor"].ask(StopChildren(), block=False)
    release.set()
    assert answer.get(timeout=TRAP_S) == ()
    assert log[-2:] == ["b stopped", "a stopped"]


# Children that are added later


def test_one_that_was_added_waits_for_one_that_is_not_there_yet(tree: Tree) -> None:
    log: list[str] = []
    tree.start_and_wait(steady("a", log))
    tree.tell("supervisor", StartChild(steady("b", log, depends_on=("c",))))
    assert tree.states() == {"a": "running", "b": "waiting"}
    tree.tell("supervisor", StartChild(steady("c", log)))
    tree.wait_for_states({"a": "running", "b": "running", "c": "running"})
    tree.stop()
    assert log == [
        *("a started", "c started", "b started"),
        *("b stopped", "c stopped", "a stopped"),
    ], "who depends on another one is stopped before it"


def test_those_that_were_added_and_depend_on_each_other_wait_and_harm_nobody(tree: Tree) -> None:
    tree.start_and_wait(steady("a"))
    tree.tell("supervisor", StartChild(steady("b", depends_on=("c",))))
    tree.tell("supervisor", StartChild(steady("c", depends_on=("b",))))
    tree.tell("supervisor", StartChild(steady("d")))
    tree.wait_for_states({"a": "running", "b": "waiting", "c": "waiting", "d": "running"})


def test_one_that_is_added_again_has_a_life_of_its_own(tree: Tree) -> None:
    spec = steady("b", restart=Restart.TEMPORARY)
    tree.start_and_wait(steady("a"), spec)
    tree.tell("b", raising(BOOM))
    tree.wait_for(ChildStopped)
    tree.tell("supervisor", StartChild(spec))
    tree.wait_for(ChildStarted)
    assert tree.ask("b", "who?") == ("b", 2)
