"""Run one SQL statement over the current snapshot; nothing else on the machine can be read."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from hypactors.clock import iso_ms
from hypactors.dataset import COLUMNS, DATASET, SQL_TYPES
from hypactors.errors import HypError, QueryError
from hypactors.lake import ReadersLock, kept_plan, metadata_location
from hypactors.sql._bounded import BoundedWork
from hypactors.sql._faults import one_line, query_error
from hypactors.sql._readonly import require_reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from hypactors.lake import Lake


_SHARED = "_hyp_shared_rows"


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer: names and DuckDB's types of the columns, and the rows, which come once."""

    columns: Sequence[tuple[str, str]]
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    has_table: bool
    """False when nothing was imported yet: the query ran over an empty view."""

    @property
    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows as Python values."""
        return _rows(self.batches)


@dataclass(frozen=True, slots=True)
class OpenCache:
    """A connection that sees the snapshot of a moment, and nothing else on the machine."""

    connection: duckdb.DuckDBPyConnection
    bounded: BoundedWork
    files: Sequence[str] | None
    """None when a catalogue keeps them elsewhere, or nothing was imported yet."""
    has_table: bool

    def ask(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a statement of ours."""
        try:
            return self.bounded.run(lambda: self.connection.execute(sql, parameters).fetchall())
        except (duckdb.Error, OSError) as error:
            # Where in our own statement that is tells nobody anything.
            raise HypError(f"the cache cannot be read: {one_line(str(error))}") from error


def query(lake: Lake, sql: str, *, timeout_s: float | None = None) -> QueryResult:
    """Run ``sql`` over the view ``ai_gateway_messages``, for at most ``timeout_s``.

    It sees the snapshot that was current at the call, whatever is committed meanwhile. Raises
    ``QueryError`` with DuckDB's message when the statement is wrong or takes too long, and
    ``HypError`` when it is not one that reads; so does taking the rows.
    """
    with contextlib.ExitStack() as stack:
        cache = stack.enter_context(open_cache(lake, timeout_s=timeout_s))
        with _faults_of(sql):
            columns, reader = cache.bounded.run(lambda: _run(cache.connection, sql))
        batches = _batches(reader, cache.bounded, sql, stack.pop_all())
        return QueryResult(columns, reader.schema, batches, has_table=cache.has_table)


@contextlib.contextmanager
def open_cache(lake: Lake, *, timeout_s: float | None = None) -> Iterator[OpenCache]:
    """Open the current snapshot for reading; its files stay until this is left."""
    with contextlib.ExitStack() as stack:
        # Before the catalogue is read: what it names must stay until the last row is out.
        reading = None if lake.is_shared else ReadersLock.shared(lake.folder)
        if reading is not None:
            stack.enter_context(reading)
        files: list[str] | None = None
        try:
            if lake.is_shared:
                connection, has_table = _connect_to_shared(lake)
            else:
                files = _files(lake)
                connection, has_table = _connect_to_files(files or []), files is not None
        except (OSError, duckdb.Error) as error:
            reason = one_line(str(error))
            raise HypError(f"the cache in {lake} cannot be read: {reason}") from error
        stack.enter_context(connection)
        bounded = BoundedWork(connection.interrupt, timeout_s)
        stack.callback(bounded.close)
        yield OpenCache(connection, bounded, files, has_table)


def _files(lake: Lake) -> list[str] | None:
    """Return the files that the catalogue names; None when nothing was ever imported."""
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
    require_reading(connection, sql)
    try:
        relation = connection.sql(sql)
    except duckdb.Error:
        # It cannot be bound. Asked in this way DuckDB says where, too.
        connection.execute(sql)
        raise
    columns = [
        (name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)
    ]
    # By the Arrow interface: the methods for it have other names in other DuckDB releases.
    return columns, pa.RecordBatchReader.from_stream(relation)


@contextlib.contextmanager
def _faults_of(sql: str) -> Iterator[None]:
    try:
        yield
    # A ValueError is Arrow's.
    except (duckdb.Error, OSError, ValueError) as error:
        raise query_error(str(error), sql) from error


def _batches(
    reader: pa.RecordBatchReader, bounded: BoundedWork, sql: str, stack: contextlib.ExitStack
) -> Iterator[pa.RecordBatch]:
    with stack:
        while True:
            with _faults_of(sql):
                batch = bounded.run(lambda: next(reader, None))
            if batch is None:
                return
            yield batch


def _rows(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        try:
            # By column: a result may have two columns of one name.
            rows = list(zip(*map(_values, batch.columns), strict=True))
        # A date that Python cannot hold.
        except (ValueError, OverflowError) as error:
            raise QueryError(one_line(str(error))) from error
        yield from rows


def _values(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        # All are in UTC, and a small system may have no data of time zones, not even that one.
        column = column.cast(pa.timestamp(column.type.unit))
    values: list[Any] = column.to_pylist()
    return values


def _connect_to_files(files: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """Return a connection with the view and no way to anything beside its files."""
    connection = _connect()
    connection.execute(_view(_parquet(files) if files else None))
    connection.execute(f"SET allowed_paths = [{', '.join(map(_literal, files))}]")
    return _locked(connection)


def _connect_to_shared(lake: Lake) -> tuple[duckdb.DuckDBPyConnection, bool]:
    """Return a connection with the view over a catalogue's table, and whether there is one."""
    from hypactors.cache import shared_rows  # noqa: PLC0415 - as above

    rows = shared_rows(lake)
    connection = _connect()
    if rows is not None:
        connection.register(_SHARED, rows)
    connection.execute(_view(None if rows is None else _SHARED))
    return _locked(connection), rows is not None


def _connect() -> duckdb.DuckDBPyConnection:
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
    connection.execute("SET errors_as_json = true")
    return connection


def _locked(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _view(source: str | None) -> str:
    if source is None:
        values = [f"NULL::{SQL_TYPES[column.kind]}" for column in COLUMNS]
        tail = "WHERE false"
    else:
        values = [f'"{column.name}"::{SQL_TYPES[column.kind]}' for column in COLUMNS]
        tail = f"FROM {source}"
    selected = ", ".join(
        f'{value} AS "{column.name}"' for value, column in zip(values, COLUMNS, strict=True)
    )
    return f"CREATE TEMP VIEW {DATASET} AS SELECT {selected} {tail}"


def _parquet(files: Sequence[str]) -> str:
    return (
        f"read_parquet([{', '.join(map(_literal, files))}], "
        "union_by_name = true, hive_partitioning = false)"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def iso_or_none(moment: datetime | None) -> str | None:
    """Return what DuckDB has as a time without a zone, which is UTC, as an ISO time."""
    return None if moment is None else iso_ms(moment.replace(tzinfo=UTC))
