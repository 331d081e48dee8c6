"""What is exported, as plain values: a line of a log as a record, and what a span is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypactors.clock import parse_iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hypactors.logs import LogLine

Attribute = str | bool | int | float

LONGEST_TEXT = 8192
"""Of one value, in characters: a stack trace fits, and a batch stays small."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LARGEST_INTEGER = 2**63 - 1
_TOLD_ELSEWHERE = frozenset({"ts", "level", "event"})


@dataclass(frozen=True, slots=True)
class SpanRef:
    """Names a span, as OTLP does."""

    trace_id: int
    span_id: int


@dataclass(frozen=True, slots=True)
class Record:
    """One event of the log."""

    event: str
    level: str
    time_ns: int
    attributes: Mapping[str, Attribute]
    span: SpanRef | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Something that has ended. ``failure`` says why it failed; None when it did not."""

    name: str
    ref: SpanRef
    parent: SpanRef | None
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Attribute]
    failure: str | None = None


def record_of(line: LogLine, span: SpanRef | None) -> Record:
    fields = ((key, value) for key, value in line.fields.items() if key not in _TOLD_ELSEWHERE)
    return Record(
        event=_text(line.event),
        level=_text(line.level),
        time_ns=time_ns(line.ts),
        attributes=attributes(fields),
        span=span,
    )


def attributes(fields: Iterable[tuple[str, object]]) -> dict[str, Attribute]:
    """Return what OTLP can carry of these values; what is nested goes as JSON."""
    return {_text(key): _attribute(value) for key, value in fields if value is not None}


def time_ns(ts: str) -> int:
    """Return a time of the log in nanoseconds; 0, which is OTLP's "unknown", for one of no sense.

    >>> time_ns("1970-01-01T00:00:01.500Z")
    1500000000
    """
    try:
        return max(0, (parse_iso(ts) - _EPOCH) // _MILLISECOND * 1_000_000)
    except (ValueError, OverflowError):
        return 0


def _attribute(value: object) -> Attribute:
    match value:
        case bool() | float():
            return value
        case int() if abs(value) <= _LARGEST_INTEGER:
            return value
        case str():
            return _text(value)
        case _:
            return _text(json.dumps(value, ensure_ascii=False, default=str))


def _text(text: str) -> str:
    """Clamp a text; half of a surrogate pair, as file names have it, would cost the whole batch."""
    cut = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
    return cut.encode("utf-8", "replace").decode()
