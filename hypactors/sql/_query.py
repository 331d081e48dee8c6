"""Run one SQL statement over the current snapshot; nothing else on the machine can be read."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from hypactors.dataset import COLUMNS, DATASET
from hypactors.errors import HypError
from hypactors.lake import ReadersLock, kept_plan, metadata_location
from hypactors.sql._readonly import require_reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hypactors.lake import Lake

JSON_TYPE = "JSON"

_SQL_TYPES = {
    "string": "VARCHAR",
    "json": JSON_TYPE,
    "int": "INTEGER",
    "long": "BIGINT",
    "time": "TIMESTAMPTZ",
    "boolean": "BOOLEAN",
}
_POSITION = re.compile(r"^LINE (\d+): ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer: names and DuckDB's types of the columns, and the rows as Python values."""

    columns: Sequence[tuple[str, str]]
    rows: Iterator[tuple[Any, ...]]
    has_table: bool
    """False when nothing was imported yet: the query ran over an empty view."""


def query(lake: Lake, sql: str) -> QueryResult:
    """Run ``sql`` over the view ``ai_gateway_messages``.

    It sees the snapshot that was current at the call, whatever is committed meanwhile. Raises
    ``HypError`` with DuckDB's message when the statement is wrong, or is not one that reads.
    """
    with contextlib.ExitStack() as stack:
        # Before the catalogue is read: what it names must stay until the last row is out.
        reading = ReadersLock.shared(lake.folder)
        if reading is not None:
            stack.enter_context(reading)
        try:
            files = _files(lake)
            connection = _connect(files or [])
        except (OSError, duckdb.Error) as error:
            reason = one_line(str(error))
            raise HypError(f"the cache in {lake} cannot be read: {reason}") from error
        columns, reader = _run(connection, sql)
        return QueryResult(columns, _rows(reader, stack.pop_all()), has_table=files is not None)


def _files(lake: Lake) -> list[str] | None:
    """Return the files that the catalogue names; None when nothing was ever imported."""
    if not lake.properties:
        location = metadata_location(lake.folder)
        if location is None:
            return None
        kept = kept_plan(lake.folder, location)
        if kept is not None:
            return kept
    from hypactors.cache import planned_files  # noqa: PLC0415 - half a second, rarely needed

    return planned_files(lake)


def _run(
    connection: duckdb.DuckDBPyConnection, sql: str
) -> tuple[list[tuple[str, str]], pa.RecordBatchReader]:
    try:
        require_reading(connection, sql)
        relation = connection.sql(sql)
        columns = [
            (name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)
        ]
        # By the Arrow interface: the methods for it have other names in other DuckDB releases.
        return columns, pa.RecordBatchReader.from_stream(relation)
    except duckdb.Error as error:
        raise HypError(one_line(str(error))) from error


def _rows(reader: pa.RecordBatchReader, reading: contextlib.ExitStack) -> Iterator[tuple[Any, ...]]:
    with reading:
        try:
            for batch in reader:
                # By column: a result may have two columns of one name.
                yield from zip(*map(_values, batch.columns), strict=True)
        # A ValueError is Arrow's, or a date that Python cannot hold, as an OverflowError is.
        except (duckdb.Error, OSError, ValueError, OverflowError) as error:
            raise HypError(one_line(str(error))) from error


def _values(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        # All are in UTC, and a small system may have no data of time zones, not even that one.
        column = column.cast(pa.timestamp(column.type.unit))
    values: list[Any] = column.to_pylist()
    return values


def _connect(files: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """Return a connection with the view and no way to anything beside its files."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_view(files))
    connection.execute(f"SET allowed_paths = [{', '.join(map(_literal, files))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _view(files: Sequence[str]) -> str:
    if files:
        source = (
            f"read_parquet([{', '.join(map(_literal, files))}], "
            "union_by_name = true, hive_partitioning = false)"
        )
        values = [f'"{column.name}"::{_SQL_TYPES[column.kind]}' for column in COLUMNS]
        tail = f"FROM {source}"
    else:
        values = [f"NULL::{_SQL_TYPES[column.kind]}" for column in COLUMNS]
        tail = "WHERE false"
    selected = ", ".join(
        f'{value} AS "{column.name}"' for value, column in zip(values, COLUMNS, strict=True)
    )
    return f"CREATE TEMP VIEW {DATASET} AS SELECT {selected} {tail}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def one_line(message: str) -> str:
    """Return DuckDB's message as one line, its drawing of the position put into words."""
    match = _POSITION.search(message)
    if match is None:
        return " ".join(message.split())
    text = " ".join(message[: match.start()].split())
    lines = message[match.start() :].split("\n")
    caret = lines[1].find("^") if len(lines) > 1 else -1
    # A long line is drawn cut, and then the caret tells nothing.
    if caret < 0 or lines[0][len(match[0]) :].startswith("..."):
        return f"{text} (line {match[1]})"
    return f"{text} (line {match[1]}, column {caret - len(match[0]) + 1})"
