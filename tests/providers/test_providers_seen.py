"""Which ids were there before, whether they are few or many."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.providers import _seen
from hypactors.providers._seen import SeenIds


def test_an_id_is_new_once_however_many_there_are() -> None:
    seen = SeenIds()
    ids = [f"message-{number}" for number in range(3 * _seen._SET_IDS)]
    assert all(seen.add(each) for each in ids)
    assert not any(seen.add(each) for each in ids)


@settings(max_examples=50, derandomize=True)
@given(ids=st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=200))
def test_it_says_what_a_set_says(ids: list[str]) -> None:
    """With room for two ids before it goes over to its own table, and a table that grows."""
    few, slots = _seen._SET_IDS, _seen._LEAST_SLOTS
    _seen._SET_IDS, _seen._LEAST_SLOTS = 2, 8
    try:
        seen, known = SeenIds(), set[str]()
        for each in ids:
            assert seen.add(each) == (each not in known)
            known.add(each)
    finally:
        _seen._SET_IDS, _seen._LEAST_SLOTS = few, slots
