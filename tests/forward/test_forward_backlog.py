"""How many rows a sink is behind, and how many are held: told from numbers alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.forward import Backlog, backlog

NUMBERS = st.integers(0, 2**62)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((10, 0, 0), Backlog(10, 0)),
        ((10, 7, 0), Backlog(3, 0)),
        ((10, 10, 0), Backlog(0, 0)),
        ((10, 0, 4), Backlog(6, 4)),
        ((10, 3, 4), Backlog(6, 1)),  # up to 3 they were sent when this fleet was joined before
        ((10, 7, 4), Backlog(3, 4)),
        ((10, 12, 0), Backlog(0, 0)),  # the mark of a cache that was put back from a backup
    ],
)
def test_what_lies_above_the_mark_is_behind(
    numbers: tuple[int, int, int], expected: Backlog
) -> None:
    """contract §9: what came in before the join of another fleet waits for 'hyp sync'."""
    end_seq, mark_seq, floor = numbers
    assert backlog(end_seq, mark_seq=mark_seq, floor=floor, is_held=False) == expected


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_hold_makes_held_of_behind_and_loses_no_row(end: int, mark: int, floor: int) -> None:
    """contract §9: nothing is behind on the first day, as nothing may go."""
    free = backlog(end, mark_seq=mark, floor=floor, is_held=False)
    held = backlog(end, mark_seq=mark, floor=floor, is_held=True)
    assert held == Backlog(0, free.behind + free.held)
    assert min(free.behind, free.held) >= 0
