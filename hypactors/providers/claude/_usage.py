"""Token usage: each response of the model counts once (import §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypactors.providers.claude._entries import Entry

_KEYS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}


def usage_of(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the counts under our names; None when there are none."""
    if usage is None:
        return None
    present = {key: usage[theirs] for key, theirs in _KEYS.items() if usage.get(theirs) is not None}
    return present or None


def usages(entries: Sequence[Entry]) -> list[dict[str, Any] | None]:
    """Return the usage that each entry carries.

    The client repeats the usage of a response on each of its lines; the last line keeps it.
    """
    last = {entry.api_id: index for index, entry in enumerate(entries) if entry.api_id is not None}
    return [
        usage_of(entry.usage) if entry.api_id is None or last[entry.api_id] == index else None
        for index, entry in enumerate(entries)
    ]
