"""A Parquet file is there whole and private, or not at all."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hypactors.errors import HypError
from hypactors.lake import Lake
from hypactors.sql import query, write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = pa.schema([("a", pa.int64())])


def batch(*values: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"a": list(values)}, schema=SCHEMA)


def test_the_rows_are_in_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    target = tmp_path / "rows.parquet"

    assert write_parquet(target, ["b"], SCHEMA, [batch(1, 2), batch(3)]) == 3

    assert pq.read_table(target).to_pydict() == {"b": [1, 2, 3]}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_on_the_way_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "rows.parquet"
    target.write_bytes(b"old")

    def batches() -> Iterator[pa.RecordBatch]:
        yield batch(1)
        raise HypError("stopped")

    with pytest.raises(HypError, match="stopped"):
        write_parquet(target, ["a"], SCHEMA, batches())

    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_no_rows_are_a_file_of_columns(tmp_path: Path) -> None:
    target = tmp_path / "rows.parquet"
    assert write_parquet(target, ["a"], SCHEMA, []) == 0
    assert pq.read_table(target).column_names == ["a"]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("select 1::hugeint as v", 1),
        ("select '[1]'::json as v", "[1]"),
        ("select uuid_x::varchar as v from (select 'u' as uuid_x)", "u"),
        ("select [1, 2] as v", [1, 2]),
        ("select null as v", None),
    ],
)
def test_what_queries_give_can_be_written(tmp_path: Path, sql: str, value: Any) -> None:
    result = query(Lake(tmp_path / "lake"), sql)
    write_parquet(tmp_path / "x", ["v"], result.schema, result.batches)
    assert pq.read_table(tmp_path / "x").to_pydict() == {"v": [value]}


def test_a_type_that_parquet_does_not_have_is_said_in_a_line(tmp_path: Path) -> None:
    result = query(Lake(tmp_path / "lake"), "select interval 3 day as v")

    with pytest.raises(HypError, match=r"x cannot be written: .*interval") as caught:
        write_parquet(tmp_path / "x", ["v"], result.schema, result.batches)

    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(HypError, match=r"x cannot be written: No such file"):
        write_parquet(tmp_path / "no" / "x", ["a"], SCHEMA, [])
