"""Rows of a query as a table for a terminal, or as JSON (contract §8)."""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any

from hypactors.clock import iso_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_CELL_WIDTH = 60
_JSON_TYPE = "JSON"
# A plan is a drawing: cut to the width of a cell it would say nothing.
_EXPLAIN_COLUMNS = ["explain_key", "explain_value"]
_NUMERIC = ("INT", "INTEGER", "DOUBLE", "FLOAT", "DECIMAL")


def json_value(value: Any, kind: str) -> Any:
    """Return what a cell is in JSON; ``kind`` is DuckDB's name for its type."""
    if isinstance(value, str):
        return _parsed(value) if kind == _JSON_TYPE else value
    if isinstance(value, dict):
        return {key: json_value(item, "") for key, item in value.items()}
    if isinstance(value, list):
        if kind.startswith("MAP("):
            return {str(key): json_value(item, "") for key, item in value}
        return [json_value(item, kind.removesuffix("[]")) for item in value]
    return _scalar(value)


def _parsed(text: str) -> Any:
    """Return the value of JSON text; text that Python cannot hold (too deep) stays text."""
    try:
        return json.loads(text, parse_float=lambda digits: _scalar(float(digits)))
    except (ValueError, RecursionError):
        return text


def _scalar(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return iso_ms(value if value.tzinfo else value.replace(tzinfo=UTC))
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case (months, days, nanoseconds):  # what Arrow makes of an interval
            return f"{months} months {days} days {nanoseconds / 1e9:g} seconds"
        case _:
            return str(value)


def unique_names(columns: Sequence[tuple[str, str]]) -> list[str]:
    """Return the columns' names, so that a second column of one name does not hide the first."""
    names: list[str] = []
    for name, _ in columns:
        candidate, number = name, 1
        while candidate in names:
            candidate, number = f"{name}_{number}", number + 1
        names.append(candidate)
    return names


def json_lines(
    columns: Sequence[tuple[str, str]], rows: Iterable[tuple[Any, ...]]
) -> Iterator[str]:
    """Yield one JSON array of objects, a line for each object."""
    names = unique_names(columns)
    kinds = [kind for _, kind in columns]
    start = "["
    for row in rows:
        cells = (json_value(value, kind) for value, kind in zip(row, kinds, strict=True))
        document = dict(zip(names, cells, strict=True))
        yield start + json.dumps(document, ensure_ascii=False, allow_nan=False)
        start = ","
    yield "[]" if start == "[" else "]"


def csv_lines(columns: Sequence[tuple[str, str]], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Yield a header and a record a row (RFC 4180); null is an empty field, JSON is its text."""
    kinds = [kind for _, kind in columns]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="")
    for record in chain(
        [unique_names(columns)],
        ([_field(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in rows),
    ):
        writer.writerow(record)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _field(value: Any, kind: str) -> str:
    return "" if value is None else _text(value, kind)


def table_lines(
    columns: Sequence[tuple[str, str]], rows: Iterable[tuple[Any, ...]]
) -> Iterator[str]:
    """Yield an aligned table: long cells are cut, control characters cannot reach the terminal."""
    if [name for name, _ in columns] == _EXPLAIN_COLUMNS:
        for _, plan in rows:
            yield from str(plan).splitlines()
        return
    kinds = [kind for _, kind in columns]
    table = [[_clamped(name) for name, _ in columns]]
    table.extend(
        [_clamped(_text(value, kind)) for value, kind in zip(row, kinds, strict=True)]
        for row in rows
    )
    widths = [max(_width(line[index]) for line in table) for index in range(len(columns))]
    numeric = [any(name in kind for name in _NUMERIC) for kind in kinds]
    for number, line in enumerate(table):
        yield "  ".join(map(_aligned, line, widths, numeric)).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)
    count = len(table) - 1
    yield f"({count} row{'' if count == 1 else 's'})"


def _text(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    if kind == _JSON_TYPE and isinstance(value, str):
        return value
    plain = json_value(value, kind)
    if plain is None:  # a number that is none: shown as it is
        return str(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _clamped(text: str) -> str:
    # Cut before it is cleaned: a cell may be megabytes long.
    head = text[: MAX_CELL_WIDTH + 1]
    clean = "".join(char if char.isprintable() else " " for char in head)
    if _width(clean) <= MAX_CELL_WIDTH:
        return clean
    while _width(clean) >= MAX_CELL_WIDTH:
        clean = clean[:-1]
    return f"{clean}…"


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _aligned(text: str, width: int, is_numeric: bool) -> str:  # noqa: FBT001 - mapped over lists
    padding = " " * (width - _width(text))
    return padding + text if is_numeric else text + padding
