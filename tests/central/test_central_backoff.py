"""How long a client waits."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.central import LADDER_S, ladder_s, parse_retry_after, wait_s
from hypactors.clock import ManualClock

NOW = ManualClock().now()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (" 7 ", 7), ("0", 0), ("soonish", None), ("", None), (None, None), ("-5", None)],
)
def test_retry_after_is_seconds(value: str | None, seconds: float | None) -> None:
    """central 1."""
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(("delta_s", "seconds"), [(90, 90), (-90, 0), (0, 0)])
def test_or_a_date(delta_s: float, seconds: float) -> None:
    """central 1: a date that is past is none to wait for."""
    text = format_datetime(NOW + timedelta(seconds=delta_s), usegmt=True)
    assert parse_retry_after(text, NOW) == seconds


@given(st.text())
def test_nothing_a_server_says_here_raises(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


def test_the_ladder() -> None:
    """central 2 and 17: with a jitter of nothing."""
    assert list(LADDER_S) == [30, 60, 120, 300]
    assert [ladder_s(failures) for failures in range(1, 6)] == [30, 60, 120, 300, 300]


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_the_jitter_adds_a_tenth_at_most(failures: int, jitter: float) -> None:
    """Contract §1."""
    assert ladder_s(failures) <= ladder_s(failures, jitter) <= ladder_s(failures) * 1.1


@pytest.mark.parametrize(("told", "waited"), [(7, 7), (0, 30), (None, 30), (10**6, 600)])
def test_what_a_server_asks_for_within_reason(told: float | None, waited: float) -> None:
    """central 14: 0 is never at once, and nobody waits for weeks."""
    assert wait_s(told, 1, 0.0, 600) == waited
