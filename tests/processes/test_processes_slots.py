"""At most so many imports at once, each in its turn."""

from __future__ import annotations

import threading
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from hypactors.processes import ImportSlots


class Asker:
    """Asks under a name and counts what it is granted later."""

    def __init__(self, slots: ImportSlots, name: str) -> None:
        self._slots = slots
        self.name = name
        self.granted = 0

    def ask(self) -> bool:
        return self._slots.take(self.name, self._note)

    def _note(self) -> None:
        self.granted += 1


def askers(slots: ImportSlots, names: str) -> list[Asker]:
    return [Asker(slots, name) for name in names]


def test_the_limit_is_kept_and_the_next_in_order_is_granted() -> None:
    slots = ImportSlots(2)
    a, b, c, d = askers(slots, "abcd")
    assert [each.ask() for each in (a, b, c, d)] == [True, True, False, False]
    slots.give_back("b")
    assert (c.granted, d.granted) == (1, 0)
    assert slots.holders() == {"a", "c"}
    slots.give_back("a")
    assert (c.granted, d.granted) == (1, 1)


def test_a_name_holds_one_slot_however_often_it_asks() -> None:
    slots = ImportSlots(2)
    a, b = askers(slots, "ab")
    assert [a.ask(), a.ask(), b.ask()] == [True, True, True]


def test_asking_again_keeps_the_place_in_the_queue() -> None:
    slots = ImportSlots(1)
    a, b, c = askers(slots, "abc")
    assert [each.ask() for each in (a, b, c, b)] == [True, False, False, False]
    slots.give_back("a")
    assert (b.granted, c.granted) == (1, 0)


def test_whoever_asks_just_then_does_not_overtake_those_who_wait() -> None:
    slots = ImportSlots(1)
    a, b = askers(slots, "ab")
    a.ask()
    b.ask()
    slots.give_back("a")
    assert a.ask() is False
    assert slots.holders() == {"b"}


def test_what_runs_already_counts_beyond_the_limit_too() -> None:
    slots = ImportSlots(1)
    slots.occupy("found")
    slots.occupy("found too")
    [a] = askers(slots, "a")
    assert a.ask() is False
    slots.give_back("found")
    assert a.granted == 0
    slots.give_back("found too")
    assert a.granted == 1


def test_whoever_gives_up_waiting_is_not_granted_anything() -> None:
    slots = ImportSlots(1)
    a, b, c = askers(slots, "abc")
    for each in (a, b, c):
        each.ask()
    slots.give_back("b")
    slots.give_back("a")
    assert (b.granted, c.granted) == (0, 1)


@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(["ask", "occupy", "give_back"]), st.sampled_from("abcde"))),
)
def test_no_slot_leaks_and_nobody_waits_beside_a_free_one(
    limit: int, steps: list[tuple[str, str]]
) -> None:
    slots = ImportSlots(limit)
    by_name = {each.name: each for each in askers(slots, "abcde")}
    occupied: set[str] = set()
    for step, name in steps:
        match step:
            case "ask":
                by_name[name].ask()
            case "occupy":
                slots.occupy(name)
                occupied.add(name)
            case _:
                slots.give_back(name)
                occupied.discard(name)
        assert len(slots.holders() - occupied) <= limit
        assert not slots._waiting or len(slots.holders()) >= limit
    for _, name in product(range(5), "abcde"):
        slots.give_back(name)
    assert (slots.holders(), slots._waiting) == (frozenset(), {})


def test_threads_never_hold_more_than_there_are() -> None:
    slots = ImportSlots(3)
    most = 0

    def work(name: str) -> None:
        nonlocal most
        for _ in range(200):
            granted = threading.Event()
            assert slots.take(name, granted.set) or granted.wait(5)
            most = max(most, len(slots.holders()))
            slots.give_back(name)

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert most <= 3
