"""Run one SQL statement over the current snapshot; nothing else on the machine can be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from sqlalchemy.exc import SQLAlchemyError

from hypactors.cache._catalog import open_for_reading
from hypactors.cache._lock import ReadersLock
from hypactors.cache._readonly import require_reading
from hypactors.dataset import COLUMNS, DATASET
from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyiceberg.table import Table

    from hypactors.cache._lake import Lake

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
    # Before the table is opened: what it names must stay until the last row is out.
    reading = ReadersLock.shared(lake.folder)
    try:
        table = open_for_reading(lake)
        connection = _connect(table)
    except (OSError, SQLAlchemyError, duckdb.Error) as error:
        reason = one_line(str(error))
        raise HypError(f"the cache in {lake} cannot be read: {reason}") from error
    try:
        require_reading(connection, sql)
        relation = connection.sql(sql)
        columns = [
            (name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)
        ]
        # By the Arrow interface: the methods for it have other names in other DuckDB releases.
        reader = pa.RecordBatchReader.from_stream(relation)
    except duckdb.Error as error:
        raise HypError(one_line(str(error))) from error
    return QueryResult(columns, _rows(reader, reading), has_table=table is not None)


def _rows(reader: pa.RecordBatchReader, reading: ReadersLock | None) -> Iterator[tuple[Any, ...]]:
    try:
        for batch in reader:
            # By column: a result may have two columns of one name.
            yield from zip(*map(_values, batch.columns), strict=True)
    # A ValueError is Arrow's, or a date that Python cannot hold, as an OverflowError is.
    except (duckdb.Error, OSError, ValueError, OverflowError) as error:
        raise HypError(one_line(str(error))) from error
    finally:
        if reading is not None:
            reading.close()


def _values(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        # All are in UTC, and a small system may have no data of time zones, not even that one.
        column = column.cast(pa.timestamp(column.type.unit))
    values: list[Any] = column.to_pylist()
    return values


def _connect(table: Table | None) -> duckdb.DuckDBPyConnection:
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
    files = [] if table is None else _planned_files(table)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_view(files))
    connection.execute(f"SET allowed_paths = [{', '.join(map(_literal, files))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _planned_files(table: Table) -> list[str]:
    return [_local_path(task.file.file_path) for task in table.scan().plan_files()]


def _local_path(location: str) -> str:
    return unquote(location.removeprefix("file://")) if location.startswith("file:") else location


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
