from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hypactors.supervision import Backoff, Intensity, Restart
from hypactors.supervision._ledger import (
    Decision,
    GiveUp,
    LeaveStopped,
    RestartAfter,
    RestartLedger,
)


def decide(ledger: RestartLedger, restart: Restart, *, crashed: bool, now: float = 0.0) -> Decision:
    return ledger.decide("child", restart, crashed=crashed, now=now, random=0.0)


def test_only_what_its_restart_type_says_is_restarted() -> None:
    ledger = RestartLedger(Intensity(max_restarts=100), Backoff())
    restarted = {
        (restart, crashed): isinstance(decide(ledger, restart, crashed=crashed), RestartAfter)
        for restart in Restart
        for crashed in (True, False)
    }
    assert restarted == {
        (Restart.PERMANENT, True): True,
        (Restart.PERMANENT, False): True,
        (Restart.TRANSIENT, True): True,
        (Restart.TRANSIENT, False): False,
        (Restart.TEMPORARY, True): False,
        (Restart.TEMPORARY, False): False,
    }


def test_more_restarts_in_the_period_than_allowed_give_up() -> None:
    ledger = RestartLedger(Intensity(max_restarts=2, period_s=10), Backoff())
    decisions = [decide(ledger, Restart.PERMANENT, crashed=True, now=now) for now in (0, 1, 2)]
    assert isinstance(decisions[1], RestartAfter)
    assert decisions[2] == GiveUp()


def test_restarts_outside_the_period_do_not_count() -> None:
    ledger = RestartLedger(Intensity(max_restarts=2, period_s=10), Backoff())
    for now in (0, 6, 12, 18, 24):
        assert isinstance(decide(ledger, Restart.PERMANENT, crashed=True, now=now), RestartAfter)


def test_the_wait_doubles_up_to_a_bound_and_is_forgotten_after_a_quiet_time() -> None:
    backoff = Backoff(initial_s=1, maximum_s=4, jitter=0.1, reset_after_s=60)
    ledger = RestartLedger(Intensity(max_restarts=100), backoff)
    delays = [decide(ledger, Restart.PERMANENT, crashed=True, now=now) for now in (0, 1, 2, 3, 100)]
    assert delays == [RestartAfter(d) for d in (1.0, 2.0, 4.0, 4.0, 1.0)]


def test_children_do_not_share_their_back_off() -> None:
    ledger = RestartLedger(Intensity(max_restarts=100), Backoff(initial_s=1))
    for name in ("a", "b"):
        first = ledger.decide(name, Restart.PERMANENT, crashed=True, now=0, random=0)
        assert first == RestartAfter(1.0)


def test_a_child_that_may_stay_stopped_is_left() -> None:
    ledger = RestartLedger(Intensity(max_restarts=0), Backoff())
    assert decide(ledger, Restart.TRANSIENT, crashed=False) == LeaveStopped()


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_every_wait_lies_between_the_first_and_the_longest_with_its_jitter(
    restarts: int, random: float
) -> None:
    backoff = Backoff(initial_s=0.5, maximum_s=30, jitter=0.1)
    assert 0.5 <= backoff.delay_s(restarts, random) <= 33
