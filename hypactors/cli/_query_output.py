"""Rows of a query as a table for a terminal, as JSON or as CSV (contract §8)."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypactors.cli._cells import fitted, printable, table
from hypactors.clock import iso_ms
from hypactors.dataset import JSON_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# A plan is a drawing: cut to the width of a cell it would say nothing.
_EXPLAIN_COLUMNS = ["explain_key", "explain_value"]
_NUMERIC = ("INT", "INTEGER", "DOUBLE", "FLOAT", "DECIMAL")


def json_value(value: Any, kind: str) -> Any:
    """Return what a cell is in JSON; ``kind`` is DuckDB's name for its type."""
    if isinstance(value, str):
        return _parsed(value) if kind == JSON_TYPE else value
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


def csv_lines(
    columns: Sequence[tuple[str, str]], rows: Iterable[tuple[Any, ...]], *, is_shown: bool
) -> Iterator[str]:
    """Yield a header and the rows; what is null is empty, and what is nested is JSON.

    ``is_shown`` on a terminal: then control characters are left out.
    """
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="")
    kinds = [kind for _, kind in columns]
    texts: Iterable[list[str]] = (
        [
            "" if value is None else _text(value, kind)
            for value, kind in zip(row, kinds, strict=True)
        ]
        for row in rows
    )
    for cells in itertools.chain([unique_names(columns)], texts):
        writer.writerow([printable(cell) for cell in cells] if is_shown else cells)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def table_lines(
    columns: Sequence[tuple[str, str]], rows: Iterable[tuple[Any, ...]]
) -> Iterator[str]:
    """Yield an aligned table: long cells are cut, control characters cannot reach the terminal."""
    if [name for name, _ in columns] == _EXPLAIN_COLUMNS:
        for _, plan in rows:
            yield from str(plan).splitlines()
        return
    kinds = [kind for _, kind in columns]
    lines = [
        [fitted(_text(value, kind)) for value, kind in zip(row, kinds, strict=True)] for row in rows
    ]
    numeric = [any(name in kind for name in _NUMERIC) for kind in kinds]
    yield from table([fitted(name) for name, _ in columns], lines, numeric)
    yield f"({len(lines)} row{'' if len(lines) == 1 else 's'})"


def _text(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    if kind == JSON_TYPE and isinstance(value, str):
        return value
    plain = json_value(value, kind)
    if plain is None:  # a number that is none: shown as it is
        return str(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
