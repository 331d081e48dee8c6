"""The main thread notices a tree that hangs, and does not blame one that was slow once."""

from __future__ import annotations

from hypactors.actors._daemon_inbox import DaemonInbox
from hypactors.actors._heart import BEAT_S, MISSES, Heart
from hypactors.actors._system_context import TreeIsLost, TreeIsUp
from hypactors.clock import ManualClock
from hypactors.service import Notifier


class Told(Notifier):
    """Counts the beats that the manager hears."""

    def __init__(self, watchdog_s: float | None) -> None:
        super().__init__(None, watchdog_s)
        self.beats = 0

    def alive(self) -> None:
        self.beats += 1


def test_it_beats_at_half_of_what_the_manager_wants() -> None:
    clock, told = ManualClock(), Told(watchdog_s=10)
    heart = Heart(told, clock, lambda: True)
    assert heart.deadline(None) == clock.monotonic() + 5
    assert heart.deadline(clock.monotonic() + 1) == clock.monotonic() + 1
    heart.beat_if_due()
    assert told.beats == 0
    for _ in range(4):
        clock.advance(5)
        heart.beat_if_due()
    assert told.beats == 4


def test_a_tree_that_does_not_answer_is_not_told_to_live_and_is_lost_in_the_end() -> None:
    clock, told, answers = ManualClock(), Told(None), [False] * (MISSES - 1) + [True]
    heart = Heart(told, clock, lambda: answers.pop(0) if answers else False)
    for _ in range(MISSES):
        clock.advance(BEAT_S)
        heart.beat_if_due()
        assert not heart.is_lost, "it answered once in between"
    assert told.beats == 1
    for _ in range(MISSES):
        assert not heart.is_lost
        clock.advance(BEAT_S)
        heart.beat_if_due()
    assert heart.is_lost
    assert told.beats == 1


def test_whoever_waits_hears_of_a_lost_tree() -> None:
    clock = ManualClock()
    inbox = DaemonInbox(clock)

    def hang() -> bool:
        clock.advance(BEAT_S)  # as a question that is not answered takes its time
        return False

    inbox.heart = Heart(Told(None), clock, hang)
    inbox.post(TreeIsUp())
    assert inbox.next(None) == TreeIsUp()
    for _ in range(MISSES):
        clock.advance(BEAT_S)
        inbox.heart.beat_if_due()
    assert inbox.next(None) == TreeIsLost(None)


def test_a_deadline_that_has_passed_is_nothing() -> None:
    clock = ManualClock()
    assert DaemonInbox(clock).next(clock.monotonic() - 1) is None
