"""Reading a report that may be of another version: no key and no type is taken for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def object_of(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object under a key; an empty one when there is none."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def rows_of(parent: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the objects of the list under a key; none when there is no list."""
    value = parent.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
