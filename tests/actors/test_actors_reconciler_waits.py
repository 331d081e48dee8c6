"""What a unit waits for: its turn, its next attempt, somebody who knows whether it is wanted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypactors.actions import Unit
from hypactors.actors._names import RECONCILER
from hypactors.messages import DescribeWaits, Outcome, OutcomeStatus, RetryRequested, Waits
from tests.actions.fakes import FakeHandler, FakeReversibleHandler

if TYPE_CHECKING:
    from tests.actors.stage import Stage

A, B = Unit("fake", "a"), Unit("fake", "b")
FAILED = Outcome(OutcomeStatus.FAILED, reason="not yet")
REFUSED = Outcome(OutcomeStatus.REFUSED, reason="a person must act")


def waits(stage: Stage) -> Waits:
    answer = stage.ask(RECONCILER, DescribeWaits())
    assert isinstance(answer, Waits)
    return answer


def retry(stage: Stage, *units: Unit) -> None:
    stage.tell(RECONCILER, RetryRequested(units))
    stage.quiesce()


def test_first_attempts_wait_for_their_turn(stage: Stage) -> None:
    """A fleet that joins does not start at once."""
    stage.place_s = {A: 0.0, B: 300.0}.__getitem__
    handler = FakeHandler(wanted=["a", "b"])
    stage.boot(handler)
    assert handler.performed == ["a"]
    assert waits(stage).turns == {B: stage.clock.now() + timedelta(seconds=300)}
    assert stage.settled_so_far() == [], "there is something to wait for"
    stage.pass_time(299)
    assert handler.performed == ["a"]
    stage.pass_time(1)
    assert handler.performed == ["a", "b"]
    assert waits(stage).turns == {}
    assert stage.settled_so_far()[-1] == ()


def test_an_edge_does_not_give_anybody_another_place(stage: Stage) -> None:
    stage.place_s = lambda _unit: 300.0
    handler = FakeHandler()
    stage.boot(handler)
    stage.pass_time(200)
    stage.edge()
    assert handler.performed == []
    stage.pass_time(100)
    assert handler.performed == ["unit"]


def test_a_later_attempt_does_not_wait_for_a_turn(stage: Stage) -> None:
    stage.place_s = lambda _unit: 300.0
    handler = FakeHandler()
    handler.outcomes.append(FAILED)
    stage.boot(handler)
    stage.pass_time(300)
    assert handler.performed == ["unit"]
    stage.edge()
    assert handler.performed == ["unit", "unit"]


def test_a_person_can_let_one_go_first(stage: Stage) -> None:
    stage.place_s = lambda _unit: 300.0
    handler = FakeHandler(wanted=["a", "b"])
    stage.boot(handler)
    retry(stage, B)
    assert handler.performed == ["b"]
    assert waits(stage).turns.keys() == {A}


def test_a_failure_is_tried_again_when_a_person_says_so(stage: Stage) -> None:
    handler = FakeHandler(wanted=["a", "b"])
    handler.outcomes.extend([FAILED, FAILED])
    stage.boot(handler)
    retry(stage, A)
    assert handler.performed == ["a", "b", "a"], "and only that one"


def test_a_refusal_is_tried_again_only_when_a_person_says_so(stage: Stage) -> None:
    handler = FakeHandler()
    handler.outcomes.append(REFUSED)
    stage.boot(handler)
    stage.edge()
    stage.pass_time(3600)
    assert handler.performed == ["unit"]
    retry(stage, Unit("fake", "unit"))
    assert handler.performed == ["unit", "unit"]


def test_what_nobody_can_tell_is_blocked_and_left_alone(stage: Stage) -> None:
    handler = FakeReversibleHandler(wanted=["a"])
    stage.boot(handler)
    handler.wanted.clear()
    handler.undecided = ["a"]
    stage.edge()
    assert waits(stage).blocked == {A: "cannot tell"}
    assert handler.reversed == []
    assert stage.settled_so_far()[-1] == ("a",), "it is not as it should be"
    [event] = stage.events("client_action.blocked")
    assert (event["request_key"], event["reason"]) == ("a", "cannot tell")
    handler.undecided.clear()
    stage.edge()
    assert waits(stage).blocked == {}
    assert [key for key, _ in handler.reversed] == ["a"]
