"""Run one SQL statement over the current snapshot; nothing else on the machine can be read."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from hypactors.dataset import COLUMNS, DATASET
from hypactors.errors import HypError
from hypactors.lake import ReadersLock, kept_plan, metadata_location
from hypactors.sql._errors import one_line
from hypactors.sql._readonly import require_reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hypactors.lake import Lake

JSON_TYPE = "JSON"

SQL_TYPES = {
    "string": "VARCHAR",
    "json": JSON_TYPE,
    "int": "INTEGER",
    "long": "BIGINT",
    "time": "TIMESTAMPTZ",
    "boolean": "BOOLEAN",
}
_SHARED = "_hyp_shared_rows"


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer: names and DuckDB's types of the columns, and the rows as Python values."""

    columns: Sequence[tuple[str, str]]
    rows: Iterator[tuple[Any, ...]]
    has_table: bool
    """False when nothing was imported yet: the query ran over an empty view."""


def query(lake: Lake, sql: str, *, timeout_s: float | None = None) -> QueryResult:
    """Run ``sql`` over the view ``ai_gateway_messages``.

    It sees the snapshot that was current at the call, whatever is committed meanwhile. Raises
    ``HypError`` with DuckDB's message when the statement is wrong, or is not one that reads;
    then, or while rows are taken, also when it takes longer than ``timeout_s``.
    """
    with contextlib.ExitStack() as stack:
        cache = stack.enter_context(opened(lake, timeout_s=timeout_s))
        columns, reader = cache.run(sql)
        return QueryResult(columns, cache.rows(reader, stack.pop_all()), has_table=cache.has_table)


def save_parquet(
    lake: Lake, sql: str, path: Path, *, is_replacing: bool, timeout_s: float | None = None
) -> int:
    """Write the rows of ``sql`` to a Parquet file, the owner's alone, and return how many.

    The file is there whole or not at all. Raises ``HypError``, also when it is there already and
    may not be replaced.
    """
    if path.exists() and not is_replacing:
        raise HypError(f"{path} is there already; --force replaces it")
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with opened(lake, timeout_s=timeout_s) as cache:
            _, reader = cache.run(sql)
            descriptor = os.open(
                partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
            with (
                open(descriptor, "wb") as stream,  # noqa: PTH123 - a descriptor, not a path
                pq.ParquetWriter(stream, reader.schema, compression="zstd") as writer,
            ):
                rows = 0
                for batch in cache.batches(reader):
                    writer.write_batch(batch)
                    rows += batch.num_rows
            partial.replace(path)
    except (OSError, pa.ArrowException) as error:
        raise HypError(f"{path}: cannot be written ({one_line(str(error))})") from error
    finally:
        partial.unlink(missing_ok=True)
    return rows


@contextlib.contextmanager
def opened(lake: Lake, *, timeout_s: float | None = None) -> Iterator[OpenCache]:
    """Open the cache as it is now. Raises ``HypError`` when it cannot be read."""
    with contextlib.ExitStack() as stack:
        # Before the catalogue is read: what it names must stay until the last row is out.
        reading = None if lake.properties else ReadersLock.shared(lake.folder)
        if reading is not None:
            stack.enter_context(reading)
        files: list[str] | None = None
        try:
            if lake.properties:
                connection, has_table = _connect_to_shared(lake)
            else:
                files = _files(lake)
                connection, has_table = _connect_to_files(files or []), files is not None
        except (OSError, duckdb.Error) as error:
            reason = one_line(str(error))
            raise HypError(f"the cache in {lake} cannot be read: {reason}") from error
        cache = OpenCache(connection, files or [], timeout_s, has_table=has_table)
        if timeout_s is not None:
            timer = threading.Timer(timeout_s, cache.interrupt)
            timer.daemon = True
            timer.start()
            stack.callback(_end, timer)
        yield cache


def _end(timer: threading.Timer) -> None:
    # A thread that still ends when the interpreter does takes it down with it.
    timer.cancel()
    timer.join()


class OpenCache:
    """A connection that sees one snapshot of the table and nothing else."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: Sequence[str],
        timeout_s: float | None,
        *,
        has_table: bool,
    ) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._is_over_time = False
        self.files = files
        """Of a cache on this machine; empty for a catalogue's table."""
        self.has_table = has_table

    def interrupt(self) -> None:
        self._is_over_time = True
        self._connection.interrupt()

    def run(self, sql: str) -> tuple[list[tuple[str, str]], pa.RecordBatchReader]:
        """Begin one statement that reads. Raises ``HypError``."""
        try:
            require_reading(self._connection, sql)
            relation = self._connection.sql(sql)
            columns = [
                (name, str(kind))
                for name, kind in zip(relation.columns, relation.types, strict=True)
            ]
            # By the Arrow interface: its methods have other names in other DuckDB releases.
            return columns, pa.RecordBatchReader.from_stream(relation)
        except duckdb.Error as error:
            raise self._failed(error, sql) from error

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        """Return every row of a statement of ours."""
        try:
            return self._connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise self._failed(error) from error

    def rows(
        self, reader: pa.RecordBatchReader, until: contextlib.ExitStack
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows, and leave the context when the last is out."""
        with until:
            for batch in self.batches(reader):
                try:
                    # By column: a result may have two columns of one name.
                    rows = list(zip(*map(_values, batch.columns), strict=True))
                # A date that Python cannot hold.
                except (ValueError, OverflowError) as error:
                    raise self._failed(error) from error
                yield from rows

    def batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        # A ValueError is Arrow's.
        except (duckdb.Error, OSError, ValueError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception, sql: str = "") -> HypError:
        if self._is_over_time:
            return HypError(
                f"it took longer than {self._timeout_s:g} s and was ended;"
                " --timeout S gives it more"
            )
        return HypError(one_line(str(error), sql))


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


def iso_text(moment: str) -> str:
    """Return the SQL for an expression's time, a timestamp in UTC, as ISO-8601 text."""
    return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%gZ')"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
