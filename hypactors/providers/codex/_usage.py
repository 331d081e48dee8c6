"""Token usage of one turn under our names (import §7)."""

from __future__ import annotations

import math
from typing import Any

_COPIED = {
    "output_tokens": "output_tokens",
    "reasoning_tokens": "reasoning_output_tokens",
    "total_tokens": "total_tokens",
}


def usage_of(payload: Any) -> dict[str, Any] | None:
    """Return the counts of the turn that a ``token_count`` ends; None when it tells none.

    Never the cumulative ones: they would count every turn again.
    """
    if not isinstance(payload, dict) or payload.get("type") != "token_count":
        return None
    info = payload.get("info")
    last = info.get("last_token_usage") if isinstance(info, dict) else None
    if not isinstance(last, dict):
        return None
    gross, cached = _number(last.get("input_tokens")), _number(last.get("cached_input_tokens"))
    counts: dict[str, Any] = {}
    if gross is not None:
        counts["input_tokens"] = gross if cached is None else max(0, gross - cached)
    if cached is not None:
        counts["cache_read_tokens"] = cached
    for ours, theirs in _COPIED.items():
        count = _number(last.get(theirs))
        if count is not None:
            counts[ours] = count
    return counts or None


def _number(value: Any) -> float | None:
    """Read a count; a text that holds a number is one too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not (value.isascii() and "_" not in value):
        return None  # Python reads more numbers than there are
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number
