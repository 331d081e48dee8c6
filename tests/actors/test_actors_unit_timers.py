"""Turns and timers of units, without an actor."""

from __future__ import annotations

from hypactors.actions import Unit
from hypactors.actors._unit_timers import Turns, UnitTimers
from hypactors.supervision.testing import ManualTimers

A, B = Unit("fake", "a"), Unit("fake", "b")


def test_a_unit_has_one_timer() -> None:
    timers = ManualTimers()
    due: list[str] = []
    units = UnitTimers(timers, lambda: due.append("due"))
    units.set(A, 10)
    units.set(A, 20)
    units.set(B, 30)
    assert timers.pending_delays() == [20, 30]
    units.cancel(B)
    timers.advance(30)
    assert due == ["due"]
    units.set(A, 1)
    units.cancel_all()
    assert timers.pending_delays() == []


def test_each_unit_has_its_place_from_when_it_was_first_wanted() -> None:
    turns = Turns({A: 0.0, B: 60.0}.__getitem__)
    assert (turns.wait_s(A, 1000), turns.wait_s(B, 1000)) == (0, 60)
    assert turns.wait_s(B, 1059) == 1
    assert turns.waiting(1059) == {B: 1}
    assert turns.wait_s(B, 1060) == 0
    assert turns.waiting(1060) == {}


def test_whoever_is_hurried_goes_first_once() -> None:
    turns = Turns(lambda _unit: 60.0)
    assert turns.wait_s(A, 0) == 60
    turns.hurry(A)
    assert turns.wait_s(A, 0) == 0
    assert (turns.hurried(), turns.waiting(0)) == (frozenset({A}), {})
    turns.taken(A)
    assert turns.hurried() == frozenset()
