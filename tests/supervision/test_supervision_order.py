"""Who starts after whom, who goes down with whom: the pure part."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.supervision import ChildSpec, Strategy
from hypactors.supervision._order import companions, in_order_of_start


def spec(name: str, *depends_on: str) -> ChildSpec:
    def factory(_context: object) -> Any:
        raise AssertionError("nobody starts it here")

    return ChildSpec(name, factory, depends_on=depends_on)


def names(*specs: ChildSpec) -> list[str]:
    return [one.name for one in in_order_of_start(specs)]


def test_children_without_dependencies_keep_their_order() -> None:
    assert names(spec("c"), spec("a"), spec("b")) == ["c", "a", "b"]


def test_a_child_comes_after_what_it_depends_on() -> None:
    assert names(spec("a", "c"), spec("b"), spec("c")) == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("specs", "complaint"),
    [
        ([spec("a"), spec("a")], "two children are called 'a'"),
        ([spec("a", "b")], "'a' depends on 'b', and there is no such child"),
        ([spec("a", "b"), spec("b", "a")], "depend on each other: a, b"),
        ([spec("a", "a")], "depend on each other: a"),
    ],
)
def test_a_tree_that_cannot_start_is_refused(specs: list[ChildSpec], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        in_order_of_start(specs)


@given(st.data())
def test_any_tree_without_circles_is_ordered(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    specs = [
        spec(f"n{n}", *data.draw(st.sets(st.sampled_from([f"n{m}" for m in range(n)]))))
        if n
        else spec("n0")
        for n in range(count)
    ]
    shuffled = data.draw(st.permutations(specs))
    ordered = list(in_order_of_start(shuffled))
    assert {one.name for one in ordered} == {one.name for one in specs}
    for place, one in enumerate(ordered):
        assert set(one.depends_on) <= {earlier.name for earlier in ordered[:place]}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, []),
        (Strategy.REST_FOR_ONE, ["c", "d"]),
        (Strategy.ONE_FOR_ALL, ["a", "c", "d"]),
    ],
)
def test_who_goes_down_with_the_one_that_died(strategy: Strategy, expected: list[str]) -> None:
    assert companions(strategy, ["a", "b", "c", "d"], "b") == expected
