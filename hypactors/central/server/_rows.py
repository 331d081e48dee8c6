"""Batches on their way in: lines of JSON become rows, or one line that says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from hypactors.clock import parse_iso
from hypactors.dataset import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypactors.dataset import Column

_INT32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_MS = Annotated[int, msgspec.Meta(ge=-62_135_596_800_000, le=253_402_300_799_999)]
_KINDS: dict[str, Any] = {
    "string": str,
    "json": msgspec.Raw,
    "int": _INT32,
    "long": int,
    "time": str | _MS,
    "boolean": bool,
}

_NULL = b"null"


def _field(column: Column) -> tuple[Any, ...]:
    if column.is_required:
        return column.name, _KINDS[column.kind]
    if column.kind == "json":  # a raw value is not told from null
        return column.name, msgspec.Raw, msgspec.Raw(_NULL)
    return column.name, _KINDS[column.kind] | None, None


_WireRow: Any = msgspec.defstruct(
    "_WireRow", map(_field, sorted(COLUMNS, key=lambda column: not column.is_required))
)
_DECODER: Any = msgspec.json.Decoder(_WireRow)


class BadBatchError(ValueError):
    """The batch can never be stored. The text names the line and the column."""


def read_rows(body: bytes) -> Sequence[tuple[object, ...]]:
    """Return the rows of a batch in column order, times in milliseconds.

    Raises ``BadBatchError`` at the first line that is no row.
    """
    rows = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_row(_DECODER.decode(line)))
        except (ValueError, RecursionError, OverflowError) as error:
            raise BadBatchError(f"line {number}: {error}") from error
    return rows


def _row(wire: Any) -> tuple[object, ...]:
    return tuple(_value(column.kind, getattr(wire, column.name)) for column in COLUMNS)


def _value(kind: str, value: Any) -> object:
    if value is None:
        return None
    if kind == "json":
        raw = bytes(value)
        if raw == _NULL:
            return None
        msgspec.json.decode(raw)  # what is only skipped over is not checked
        return raw.decode()
    if kind == "time" and isinstance(value, str):
        return round(parse_iso(value).timestamp() * 1000)
    return value
