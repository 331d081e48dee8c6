"""Days, or weeks, or months: as few as can be looked at."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Unit = Literal["day", "week", "month"]


class Calendar:
    """The days of some data, put into periods without a gap: at most ``most``, if months do it."""

    def __init__(self, days: Iterable[str], most: int) -> None:
        found = [date.fromisoformat(day) for day in days]
        self.unit: Unit = "day"
        self.starts: list[date] = []
        if not found:
            return
        units: tuple[Unit, ...] = ("day", "week", "month")
        for unit in units:
            self.unit = unit
            self.starts = _starts(min(found), max(found), unit)
            if len(self.starts) <= most:
                break

    def period_of(self, day: str) -> date:
        """Return the first day of the period that a day is in."""
        return _start(date.fromisoformat(day), self.unit)


def _start(day: date, unit: Unit) -> date:
    match unit:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)


def _starts(first: date, last: date, unit: Unit) -> list[date]:
    starts = [_start(first, unit)]
    while True:
        # Far enough to be in the next period, whatever its length.
        following = _start(
            starts[-1] + timedelta(days={"day": 1, "week": 7, "month": 31}[unit]), unit
        )
        if following > last:
            return starts
        starts.append(following)
