"""Rows on their way out: in the order in which they came in, as lines of JSON (central §5.2)."""

from __future__ import annotations

import contextlib
import heapq
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.types import LongType

from hypactors.cache._catalog import open_for_reading
from hypactors.cache._schema import INGEST_SEQ
from hypactors.dataset import COLUMNS
from hypactors.lake import ReadersLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyiceberg.table import Table

    from hypactors.lake import Lake

_BATCH_ROWS = 512
_SAFE_INTEGER = 2**53 - 1
# Splicing stored JSON into a line is quick, and wrong when it holds a line break or may hold an
# integer that the other end cannot read.
_NEEDS_CARE = re.compile(r"[0-9]{16}|\n|\r")
_ISO = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class ExportedRow:
    """One row: its number, its line without the newline, and what a person knows it by."""

    seq: int
    line: bytes
    cwd: str | None
    client: str
    day: str


def export_rows(lake: Lake, after_seq: int) -> Iterator[ExportedRow]:
    """Yield the rows above ``after_seq`` in the order of their numbers, of the current snapshot.

    However large the table is, what is held is a batch of each file whose numbers overlap. Files
    below ``after_seq`` are not opened.
    """
    reading = ReadersLock.shared(lake.folder)
    with reading or contextlib.nullcontext():
        table = open_for_reading(lake)
        if table is not None:
            yield from _merged(table, _files_from(table, after_seq), after_seq)


def _files_from(table: Table, after_seq: int) -> list[tuple[int, str]]:
    """Return the files that may have such rows, with their lowest numbers, in that order."""
    scan = table.scan(row_filter=f"{INGEST_SEQ} > {after_seq}")
    seq_id = table.schema().find_field(INGEST_SEQ).field_id
    files = []
    for task in scan.plan_files():
        bound = task.file.lower_bounds.get(seq_id) if task.file.lower_bounds else None
        # A file without statistics may hold any number.
        lowest = 0 if bound is None else int(from_bytes(LongType(), bound))
        files.append((lowest, task.file.file_path))
    return sorted(files)


def _merged(
    table: Table, files: Sequence[tuple[int, str]], after_seq: int
) -> Iterator[ExportedRow]:
    """Merge files that are each in order, opening one when its turn may have come."""
    waiting = list(reversed(files))
    heap: list[tuple[int, int, ExportedRow, Iterator[ExportedRow]]] = []

    def push(rows: Iterator[ExportedRow], number: int) -> None:
        row = next(rows, None)
        if row is not None:
            heapq.heappush(heap, (row.seq, number, row, rows))

    while waiting or heap:
        while waiting and (not heap or waiting[-1][0] <= heap[0][0]):
            _, path = waiting.pop()
            push(_rows_of(table, path, after_seq), len(waiting))
        if heap:
            _, number, row, rows = heapq.heappop(heap)
            yield row
            push(rows, number)


def _rows_of(table: Table, path: str, after_seq: int) -> Iterator[ExportedRow]:
    with table.io.new_input(path).open() as stream:
        file = pq.ParquetFile(stream)
        numbers = file.read(columns=[INGEST_SEQ]).column(0)
        batches: Any = (
            file.iter_batches(batch_size=_BATCH_ROWS)
            if _is_ascending(numbers)
            # Rewritten by somebody else: such a file is read as a whole.
            else file.read().sort_by(INGEST_SEQ).to_batches(max_chunksize=_BATCH_ROWS)
        )
        for batch in batches:
            wanted = batch.filter(pc.greater(batch.column(INGEST_SEQ), after_seq))
            if wanted.num_rows:
                yield from _lines(wanted)


def _is_ascending(numbers: pa.ChunkedArray) -> bool:
    values = numbers.combine_chunks()
    return len(values) < 2 or bool(pc.all(pc.less(values[:-1], values[1:])).as_py())  # noqa: PLR2004


def _lines(batch: pa.RecordBatch) -> Iterator[ExportedRow]:
    names = [column.name for column in COLUMNS if column.name in batch.schema.names]
    columns = [_values(batch.column(name), _KINDS[name]) for name in names]
    seqs = batch.column(INGEST_SEQ).to_pylist()
    for seq, values in zip(seqs, zip(*columns, strict=True), strict=True):
        row = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        yield ExportedRow(
            seq=seq,
            line=msgspec.json.encode(row),
            cwd=row.get("cwd"),
            client=str(row.get("client_name") or row.get("provider")),
            day=str(row.get("date")),
        )


_KINDS: Mapping[str, str] = {column.name: column.kind for column in COLUMNS}


def _values(column: pa.Array, kind: str) -> list[Any]:
    if kind == "time":
        # In UTC already: a small system may have no data of time zones.
        naive = column.cast(pa.timestamp("us")).cast(pa.timestamp("ms"), safe=False)
        return list(pc.strftime(naive, format=_ISO).to_pylist())
    values: list[Any] = column.to_pylist()
    if kind == "json":
        return [None if value is None else _json(value) for value in values]
    return values


def _json(text: str) -> object:
    if _NEEDS_CARE.search(text) is None:
        return msgspec.Raw(text.encode())
    return portable(msgspec.json.decode(text))


def portable(value: Any) -> Any:
    """Return a JSON value whose integers every reader of JSON can hold: larger ones are texts."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_SAFE_INTEGER <= value <= _SAFE_INTEGER else str(value)
    if isinstance(value, list):
        return [portable(item) for item in value]
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    return value
