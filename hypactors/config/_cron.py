"""The grammar of a schedule: five fields, as ``*/5 0-6 * * 1,3``."""

from __future__ import annotations

import re

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
