"""Periods follow each other without a gap, and are few enough to look at."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hypactors.sql import Calendar

DAYS = st.lists(st.dates(date(2024, 1, 1), date(2027, 1, 1)), min_size=1, max_size=20)


@given(DAYS, st.integers(1, 60))
def test_each_day_is_in_one_period_and_none_is_left_out(days: list[date], most: int) -> None:
    calendar = Calendar(map(str, days), most)

    assert len(calendar.starts) <= most or calendar.unit == "month"
    assert calendar.starts == sorted(set(calendar.starts))
    assert calendar.starts[0] <= min(days)
    for day in days:
        start = calendar.period_of(str(day))
        assert start == max(each for each in calendar.starts if each <= day)
    for before, after in zip(calendar.starts, calendar.starts[1:], strict=False):
        assert calendar.period_of(str(after - timedelta(days=1))) == before


def test_days_become_weeks_and_then_months() -> None:
    def units(length: int) -> tuple[str, int]:
        first = date(2026, 1, 5)
        calendar = Calendar([str(first), str(first + timedelta(days=length))], 10)
        return calendar.unit, len(calendar.starts)

    assert units(0) == ("day", 1)
    assert units(9) == ("day", 10)
    assert units(10) == ("week", 2)
    assert units(69) == ("week", 10)
    assert units(70) == ("month", 3)
    assert Calendar([], 10).starts == []
