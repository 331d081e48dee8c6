"""Who is stopped, dropped and started next: the pure part, for every standing of a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hypactors.supervision import ChildState, Restart, Strategy
from hypactors.supervision._child import Standing
from hypactors.supervision._plan import GroupRestart, Starts, plan_restart, plan_starts

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = "abcdef"
UP = {ChildState.STARTING, ChildState.RUNNING}


@st.composite
def trees(draw: st.DrawFn) -> list[Standing]:
    """Draw a tree in order of start: each child depends on earlier ones at most."""
    count = draw(st.integers(1, len(NAMES)))
    return [
        Standing(
            NAMES[place],
            draw(st.sampled_from(ChildState)),
            draw(st.sampled_from(Restart)),
            tuple(draw(st.sets(st.sampled_from(NAMES[:place])))) if place else (),
        )
        for place in range(count)
    ]


def running(*names: str) -> list[Standing]:
    return [Standing(name, ChildState.RUNNING) for name in names]


def test_a_group_goes_down_in_reverse_and_comes_back_in_order() -> None:
    assert plan_restart(Strategy.REST_FOR_ONE, running("a", "b", "c", "d"), "b") == GroupRestart(
        stopped=("d", "c"), dropped=(), again=("b", "c", "d")
    )


def test_a_temporary_sibling_is_dropped_unless_its_life_is_still_to_come() -> None:
    children = [
        *running("a"),
        Standing("b", ChildState.RUNNING, Restart.TEMPORARY),
        Standing("c", ChildState.WAITING, Restart.TEMPORARY),
    ]
    assert plan_restart(Strategy.ONE_FOR_ALL, children, "a") == GroupRestart(
        stopped=("b",), dropped=("b",), again=("a",)
    )


@given(trees(), st.sampled_from(Strategy), st.data())
def test_what_is_up_and_tied_to_the_dead_one_is_stopped_and_nothing_else(
    children: Sequence[Standing], strategy: Strategy, data: st.DataObject
) -> None:
    died = data.draw(st.sampled_from(children))
    place = children.index(died)
    tied = {
        Strategy.ONE_FOR_ONE: [],
        Strategy.REST_FOR_ONE: children[place + 1 :],
        Strategy.ONE_FOR_ALL: [child for child in children if child != died],
    }[strategy]
    plan = plan_restart(strategy, children, died.name)
    assert list(plan.stopped) == [c.name for c in reversed(tied) if c.state in UP]
    assert died.name in plan.again
    assert sorted(plan.again, key=NAMES.index) == list(plan.again)
    assert set(plan.again) <= {died.name, *(c.name for c in tied)}
    assert not set(plan.again) & set(plan.dropped)
    for child in tied:
        is_stopped_for_good = child.state is ChildState.STOPPED
        is_temporary = child.restart is Restart.TEMPORARY
        assert (child.name in plan.again) == (not is_stopped_for_good and not is_temporary)
        assert (child.name in plan.dropped) == (is_temporary and child.state in UP)


@given(trees(), st.sampled_from(Strategy), st.booleans())
def test_whoever_starts_was_waiting_and_has_what_it_needs(
    children: Sequence[Standing],
    strategy: Strategy,
    is_coming_up: bool,  # noqa: FBT001 - drawn
) -> None:
    by_name = {child.name: child for child in children}
    starts = plan_starts(strategy, children, is_coming_up=is_coming_up)
    for name in starts.names:
        assert by_name[name].state is ChildState.WAITING
        assert all(by_name[n].state is ChildState.RUNNING for n in by_name[name].depends_on)
    if is_coming_up or strategy is not Strategy.ONE_FOR_ONE:
        assert len(starts.names) <= 1
        before = children[: children.index(by_name[starts.names[0]])] if starts.names else ()
        assert not {c.state for c in before} & {ChildState.STARTING, ChildState.RESTARTING}


@given(trees(), st.sampled_from(Strategy))
def test_starting_goes_on_until_everyone_is_through(
    children: Sequence[Standing], strategy: Strategy
) -> None:
    """Each child that starts is ready by the next time it is asked, and nobody dies."""
    settled = [
        Standing(c.name, ChildState.WAITING, c.restart, c.depends_on)
        if c.state in {ChildState.STARTING, ChildState.RESTARTING}
        else c
        for c in children
    ]
    order: list[str] = []
    while not (starts := plan_starts(strategy, settled, is_coming_up=True)).is_everyone_through:
        assert starts.names
        order += starts.names
        settled = [
            Standing(c.name, ChildState.RUNNING) if c.name in starts.names else c for c in settled
        ]
    assert starts == Starts((), is_everyone_through=True)
    assert order == sorted(order, key=NAMES.index)
    up = {c.name for c in settled if c.state is ChildState.RUNNING}
    for child in settled:
        if child.state is ChildState.WAITING:
            assert not set(child.depends_on) <= up, "only those are left that can never start"
