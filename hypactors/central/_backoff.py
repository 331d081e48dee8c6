"""How long to wait before asking a server again."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

LADDER_S = (30.0, 60.0, 120.0, 300.0)
"""The waits after the first, second, third and every later failure (central §3)."""

_JITTER = 0.1
_SECONDS = re.compile(r"[0-9]{1,9}")


def ladder_s(failures: int, jitter: float = 0.0) -> float:
    """Return the wait after so many failures in a row (1 or more), and up to 10 % more.

    ``jitter`` is a random number in [0, 1): a fleet must not come back all at once.

    >>> [ladder_s(failures) for failures in range(1, 6)]
    [30.0, 60.0, 120.0, 300.0, 300.0]
    """
    step = LADDER_S[min(max(failures, 1), len(LADDER_S)) - 1]
    return step * (1 + _JITTER * jitter)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for; None when it says nothing.

    A date that is past is 0. Neither is a reason to try again at once: see `wait_s`.
    """
    text = "" if value is None else value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, (moment.astimezone(now.tzinfo) - now).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def wait_s(retry_after_s: float | None, failures: int, jitter: float, longest_s: float) -> float:
    """Return what a throttled client waits: what it was told, within reason, else the ladder."""
    if retry_after_s is None or retry_after_s <= 0:
        return ladder_s(failures, jitter)
    return min(retry_after_s, longest_s)
