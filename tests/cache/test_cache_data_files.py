"""The files of a commit: one for each partition, with no more in them than is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from hypactors.cache import MessageWriter
from hypactors.cache._catalog import open_for_reading
from hypactors.cache._schema import LONG_COLUMNS, UNIQUE_COLUMNS, iceberg_schema
from hypactors.lake import Lake
from tests.sql.cached import made_up, put

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

BEFORE_1970, OCTOBER, NOVEMBER = (
    "1969-12-31T23:59:59.999Z",
    "2026-10-31T23:59:59.999Z",
    "2026-11-01T00:00:00.000Z",
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def table_of(lake: Lake) -> Table:
    table = open_for_reading(lake)
    assert table is not None
    return table


def rows_where(table: Table, condition: str) -> int:
    return int(table.scan(condition).to_arrow().num_rows)


def files_of(lake: Lake) -> list[DataFile]:
    return [task.file for task in table_of(lake).scan().plan_files()]


def month_of(time: str) -> int:
    """Count from 1970 on, as Iceberg does."""
    return (int(time[:4]) - 1970) * 12 + int(time[5:7]) - 1


def test_each_month_and_client_has_a_file_of_its_own(lake: Lake) -> None:
    wanted = {
        (month_of(time), client)
        for time in (BEFORE_1970, OCTOBER, NOVEMBER)
        for client in ("claude", None)
    }
    put(
        lake,
        [
            made_up(message_created_at=time, client_name=client)
            for time in (NOVEMBER, BEFORE_1970, OCTOBER, NOVEMBER)
            for client in (None, "claude")
        ],
    )
    files = files_of(lake)

    assert {(file.partition[0], file.partition[1]) for file in files} == wanted
    assert len(files) == len(wanted)
    assert sum(file.record_count for file in files) == 8
    # A reader that leaves out files by their partitions and bounds finds what it looks for.
    table = table_of(lake)
    assert rows_where(table, f"message_created_at >= '{NOVEMBER[:-1]}+00:00'") == 4
    assert rows_where(table, "message_created_at < '1970-01-01T00:00:00+00:00'") == 2
    assert rows_where(table, "client_name is null") == 4


def test_a_file_has_bounds_but_for_long_text_and_dictionaries_but_for_what_is_unique(
    lake: Lake,
) -> None:
    put(lake, [made_up(content_text=f"text {n}", raw_frame={"n": n}) for n in range(20)])
    [file] = files_of(lake)
    schema = iceberg_schema()
    with table_of(lake).io.new_input(file.file_path).open() as stream:
        parquet = pq.ParquetFile(stream)
        columns = [parquet.metadata.row_group(0).column(n) for n in range(len(schema.fields))]
        ids = [field.metadata[b"PARQUET:field_id"] for field in parquet.schema_arrow]

    assert {column.path_in_schema for column in columns if not column.is_stats_set} == LONG_COLUMNS
    assert {
        column.path_in_schema for column in columns if not column.has_dictionary_page
    } >= LONG_COLUMNS | UNIQUE_COLUMNS
    assert [int(number) for number in ids] == [field.field_id for field in schema.fields]
    unbounded = {schema.find_field(name).field_id for name in LONG_COLUMNS}
    assert not unbounded & {*file.lower_bounds, *file.upper_bounds}
    assert file.lower_bounds[schema.find_field("session_id").field_id] == b"s"


def test_text_of_any_kind_comes_back_as_it_was(lake: Lake) -> None:
    texts: list[Any] = ["", "é" * 70_000, None, "\x00", "😀"]
    rows = [made_up(content_text=text, message_id=f"m{n}") for n, text in enumerate(texts)]
    for row in rows:  # a commit of one row takes another way than one of many
        put(lake, [row])
    put(lake, [row | {"part_id": f"again {n}"} for n, row in enumerate(rows)])

    found = table_of(lake).scan().to_arrow().sort_by("message_id")
    assert found["content_text"].to_pylist() == [text for text in texts for _ in range(2)]


def test_nothing_is_written_for_rows_that_are_there(lake: Lake) -> None:
    row = made_up()
    put(lake, [row])
    [before] = files_of(lake)
    put(lake, [row])

    assert [file.file_path for file in files_of(lake)] == [before.file_path]
    assert MessageWriter(lake, run_id="r").commit([]).snapshot_id is None
