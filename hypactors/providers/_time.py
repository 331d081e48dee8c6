"""Times in transcripts: milliseconds since 1970, and ISO text with milliseconds and ``Z``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000
_FIRST_MS = -62_135_596_800_000  # 0001-01-01, the first day that Python and Iceberg can both hold
_LAST_MS = 253_402_300_799_999  # 9999-12-31
# Python reads more spellings than the other client does (week dates, no dashes).
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?")
_USUAL_LENGTH = len("2026-01-02T03:04:05.678Z")
_MILLISECOND = timedelta(milliseconds=1)


def parse_time_ms(value: Any) -> int | None:
    """Read a timestamp of a transcript; without an offset it is UTC. None when unusable."""
    if isinstance(value, str):
        if not is_usual(value) and _ISO.fullmatch(value) is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return in_range((moment - _EPOCH) // _MILLISECOND)
        except (ValueError, OverflowError):
            return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Compared first: an infinite number has no integer, and NaN compares as outside.
        return int(value) if _FIRST_MS <= value <= _LAST_MS else None
    return None


def is_usual(text: str) -> bool:
    """Say without a regular expression whether this is how JavaScript prints a time.

    Enough to keep the other spellings out; what is no digit, ``fromisoformat`` refuses.
    """
    return (
        len(text) == _USUAL_LENGTH
        and text[23] == "Z"
        and text[10] == "T"
        and text[4] == text[7] == "-"
        and text[13] == text[16] == ":"
        and text[19] == "."
    )


def in_range(moment_ms: int) -> int | None:
    return moment_ms if _FIRST_MS <= moment_ms <= _LAST_MS else None


@lru_cache(maxsize=512)
def _day(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def day_of(moment_ms: int) -> str:
    """Return the UTC day as ``YYYY-MM-DD``."""
    return _day(moment_ms // _DAY_MS)


def iso_of(moment_ms: int) -> str:
    """Return the time as ``YYYY-MM-DDTHH:MM:SS.mmmZ``."""
    day, rest = divmod(moment_ms, _DAY_MS)
    seconds, milliseconds = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_day(day)}T{hour:02d}:{minute:02d}:{second:02d}.{milliseconds:03d}Z"
