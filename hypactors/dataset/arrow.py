"""Rows as Arrow holds them, and the digests by which a part is known.

Loads pyarrow and nothing else of the data plane: the workers of an import need no more.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hypactors.dataset import COLUMNS, PART_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hypactors.dataset import Kind

DIGEST_BYTES = 16

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "string": pa.string(),
    "json": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "time": pa.timestamp("us", tz="UTC"),
    "boolean": pa.bool_(),
}

FIELDS: tuple[pa.Field, ...] = tuple(
    pa.field(column.name, ARROW_TYPES[column.kind], nullable=not column.is_required)
    for column in COLUMNS
)
ROW_SCHEMA = pa.schema(FIELDS)


def columns_of(rows: Sequence[tuple[object, ...]]) -> pa.RecordBatch:
    """Return rows as columns. ``rows`` are in column order, their times in milliseconds."""
    columns: Iterable[Sequence[object]] = zip(*rows, strict=True) if rows else [()] * len(FIELDS)
    return pa.RecordBatch.from_arrays(
        [_array(values, field.type) for values, field in zip(columns, FIELDS, strict=True)],
        schema=ROW_SCHEMA,
    )


def digests_of(part_ids: Iterable[str]) -> pa.Array:
    """Return 128 bits of each part's id: few enough to hold those of a whole table."""
    joined = b"".join(
        [blake2b(part_id.encode(), digest_size=DIGEST_BYTES).digest() for part_id in part_ids]
    )
    return pa.Array.from_buffers(
        pa.binary(DIGEST_BYTES), len(joined) // DIGEST_BYTES, [None, pa.py_buffer(joined)]
    )


def digests_of_rows(rows: Iterable[tuple[object, ...]]) -> pa.Array:
    return digests_of(str(row[PART_ID]) for row in rows)


def _array(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    if len(values) == 1:
        return _array_of_one(values[0], kind)
    # A third of the columns say the same of each row of a session: told once, it costs nothing.
    if values and values[0] == values[-1] and values.count(values[0]) == len(values):
        return pa.repeat(_array_of([values[0]], kind)[0], len(values))
    return _array_of(values, kind)


def _array_of_one(value: object, kind: pa.DataType) -> pa.Array:
    """Return an array of one value, held once and not three times: it may be very long."""
    if not isinstance(value, str | bytes):
        return _array_of([value], kind)
    data = value.encode() if isinstance(value, str) else value
    offsets = pa.py_buffer(array("i", [0, len(data)]))
    return pa.Array.from_buffers(kind, 1, [None, offsets, pa.py_buffer(data)])


def _array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        # A cast would load another part of Arrow, in each worker.
        return pa.array([None if ms is None else ms * 1000 for ms in values], kind)
    return pa.array(values, kind)
