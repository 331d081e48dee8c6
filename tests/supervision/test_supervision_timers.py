from __future__ import annotations

import threading

from hypactors.supervision import ThreadTimers
from hypactors.supervision.testing import ManualTimers

TRAP_S = 5.0


def test_real_timers_run_what_is_due_in_order_and_not_what_was_cancelled() -> None:
    timers = ThreadTimers()
    ran: list[str] = []
    done = threading.Event()
    timers.call_later(0.04, done.set)
    timers.call_later(0.03, lambda: ran.append("last"))
    timers.call_later(0.01, lambda: ran.append("first"))
    timers.call_later(0.02, lambda: ran.append("never")).cancel()
    assert done.wait(TRAP_S)
    timers.close()
    assert ran == ["first", "last"]


def test_a_timer_set_from_a_callback_runs_too() -> None:
    timers = ThreadTimers()
    done = threading.Event()
    timers.call_later(0, lambda: timers.call_later(0, done.set))
    assert done.wait(TRAP_S)
    timers.close()


def test_closing_ends_the_thread_and_drops_what_is_still_to_come() -> None:
    timers = ThreadTimers()
    ran: list[str] = []
    timers.call_later(60, lambda: ran.append("late"))
    timers.close()
    assert not timers._thread.is_alive()
    assert ran == []


def test_manual_timers_stand_still_until_they_are_moved() -> None:
    timers = ManualTimers()
    ran: list[str] = []
    timers.call_later(2, lambda: ran.append("two"))
    timers.call_later(1, lambda: ran.append("one"))
    timers.advance(0.5)
    assert ran == []
    assert timers.pending_delays() == [0.5, 1.5]
    timers.advance(10)
    assert ran == ["one", "two"]
    assert timers.monotonic() == 10.5
