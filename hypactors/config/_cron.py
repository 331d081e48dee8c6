"""The grammar of a schedule: five fields, as ``*/5 0-6 * * 1,3``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    # Both 0 and 7 are Sunday.
    ("day of the week", 0, 7),
)
# No number of a schedule has more than nine digits, and Python refuses to convert thousands.
_ITEM = re.compile(r"(?:\*|([0-9]{1,9})(?:-([0-9]{1,9}))?)(?:/([0-9]{1,9}))?")


def cron_fault(text: object) -> str | None:
    """Say what is wrong with a schedule; None when it is one.

    >>> cron_fault("*/5 0-6 * * 1,3")
    >>> cron_fault("0 24 * * *")
    "hour '24' is not within 0-23"
    """
    if not isinstance(text, str):
        return "must be a text with five fields"
    if not (text.isascii() and text.isprintable()):
        return "holds something that is not printable ASCII"
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"has {len(parts)} fields, not {len(_FIELDS)}"
    for part, (name, low, high) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            fault = _item_fault(item, low, high)
            if fault is not None:
                return f"{name} '{item}' {fault}"
    return None


def _item_fault(item: str, low: int, high: int) -> str | None:
    match = _ITEM.fullmatch(item)
    if match is None:
        return "is no '*', number, range or step"
    first, last, step = (None if group is None else int(group) for group in match.groups())
    if step == 0:
        return "steps by 0"
    if first is None:
        return None
    last = first if last is None else last
    if first > last:
        return "runs backwards"
    if not low <= first <= last <= high:
        return f"is not within {low}-{high}"
    return None


_LONGEST_LOOK = timedelta(days=366 * 5)


def next_match(text: str, after: datetime) -> datetime | None:
    """Return the first whole minute after a moment at which a schedule is due, in UTC.

    As every cron has it, a day is due by either of its two fields when both say something. None
    for a schedule that is no schedule, and for one that is due on no day, as 30 February.

    >>> from datetime import UTC, datetime
    >>> next_match("30 4 * * 1", datetime(2026, 6, 25, tzinfo=UTC)).isoformat()
    '2026-06-29T04:30:00+00:00'
    """
    if cron_fault(text) is not None:
        return None
    minutes, hours, days, months, weekdays = (
        _values(part, low, high) for part, (_, low, high) in zip(text.split(), _FIELDS, strict=True)
    )
    weekdays = {day % 7 for day in weekdays}
    _, _, day_text, _, weekday_text = text.split()
    moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    last = after + _LONGEST_LOOK
    while moment <= last:
        by_day, by_weekday = moment.day in days, moment.isoweekday() % 7 in weekdays
        both = not day_text.startswith("*") and not weekday_text.startswith("*")
        is_day = (by_day or by_weekday) if both else (by_day and by_weekday)
        if moment.month not in months or not is_day:
            moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
        elif moment.hour not in hours:
            moment = moment.replace(minute=0) + timedelta(hours=1)
        elif moment.minute not in minutes:
            moment += timedelta(minutes=1)
        else:
            return moment
    return None


def _values(field: str, low: int, high: int) -> set[int]:
    values: set[int] = set()
    for item in field.split(","):
        match = _ITEM.fullmatch(item)
        assert match is not None  # noqa: S101 - the field was checked
        first, last, step = (None if group is None else int(group) for group in match.groups())
        start = low if first is None else first
        end = high if first is None or (last is None and step is not None) else last or first
        values.update(range(start, end + 1, step or 1))
    return values
