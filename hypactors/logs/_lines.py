"""One line of a log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class LogLine:
    """An event as it was written. ``raw`` is the line, without its end.

    Times are compared as text: all of them are ISO-8601 in UTC with milliseconds.
    """

    ts: str
    level: str
    event: str
    fields: Mapping[str, Any]
    raw: bytes

    def text(self, key: str) -> str | None:
        value = self.fields.get(key)
        return value if isinstance(value, str) else None


def parse_line(raw: bytes) -> LogLine | None:
    """Return the event of a line; None for one that is cut off, or is none of ours."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    ts, level, event = (fields.get(key) for key in ("ts", "level", "event"))
    if not (isinstance(ts, str) and isinstance(level, str) and isinstance(event, str)):
        return None
    return LogLine(ts, level, event, fields, raw)
