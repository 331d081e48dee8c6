"""Token usage under our names (import §7)."""

from __future__ import annotations

from typing import Any

_KEYS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}


def usage_of(usage: Any) -> dict[str, Any] | None:
    """Return the counts of a response; None when there are none."""
    if not isinstance(usage, dict):
        return None
    present = {key: usage[theirs] for key, theirs in _KEYS.items() if usage.get(theirs) is not None}
    return present or None
