"""Commits: whole or not at all, each part once (import §8, contract §8)."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from hypactors.cache import MessageWriter
from hypactors.cache._catalog import open_for_reading, open_for_writing
from hypactors.cache._schema import INGEST_SEQ, TABLE, arrow_schema, iceberg_schema
from hypactors.dataset import COLUMNS
from hypactors.lake import Lake
from hypactors.paths import HypHome
from hypactors.providers import ROW_COLUMNS, Exchange, Message, Row, expand
from hypactors.sql import query

if TYPE_CHECKING:
    from pathlib import Path


def rows(*names: str, session: str = "s", created_ms: int = 1_793_520_000_000) -> list[Row]:
    """Return a row for each name; the name is the message's id."""
    exchange = Exchange(
        provider="anthropic",
        session_id=session,
        client_name="claude",
        source_path="/x",
        native_id=session,
        messages=[
            Message(role="user", content=name, message_id=name, message_created_ms=created_ms)
            for name in names
        ],
    )
    return list(expand(exchange, now_ms=0))


def fetch(home: HypHome, sql: str) -> list[tuple[Any, ...]]:
    return list(query(Lake.of(home), sql).rows)


def test_the_columns_are_those_that_the_expansion_makes() -> None:
    """import 43."""
    assert tuple(column.name for column in COLUMNS) == ROW_COLUMNS
    assert len(ROW_COLUMNS) == 56
    assert INGEST_SEQ not in ROW_COLUMNS


def test_the_schema_has_ids_in_order_and_json_columns_say_so() -> None:
    fields = iceberg_schema().fields

    assert [field.field_id for field in fields] == list(range(1, 58))
    assert {field.name for field in fields if field.doc == "json"} == {
        "tools",
        "previous_message_id",
        "tool_args",
        "compact_metadata",
        "status",
        "attributes",
        "raw_frame",
    }
    assert [field.name for field in arrow_schema() if not field.nullable] == [
        field.name for field in fields if field.required
    ]
    assert "part_id" in [field.name for field in fields if field.required]


def test_the_table_is_partitioned_and_sorted(tmp_path: Path) -> None:
    table = open_for_writing(Lake.of(HypHome(tmp_path)))

    assert [str(field.transform) for field in table.spec().fields] == ["month", "identity"]
    assert len(table.sort_order().fields) == 3
    assert table.name() == TABLE


def test_a_commit_is_seen_and_a_second_one_of_the_same_rows_is_none(tmp_path: Path) -> None:
    """import 44."""
    home = HypHome(tmp_path)
    writer = MessageWriter(Lake.of(home), run_id="r1")

    first = writer.commit(rows("a", "b"), files=1)
    again = writer.commit(rows("b", "a"), files=1)
    other = MessageWriter(Lake.of(home), run_id="r2").commit(rows("a", "b", "c"), files=1)

    assert list(first.fresh) == [0, 1]
    assert first.snapshot_id is not None
    assert (list(again.fresh), again.snapshot_id) == ([], None)
    assert list(other.fresh) == [2]
    assert fetch(home, "select part_id from ai_gateway_messages order by 1") == [
        ("a#0",),
        ("b#0",),
        ("c#0",),
    ]


def test_the_same_part_twice_in_a_batch_is_written_once(tmp_path: Path) -> None:
    """import 44."""
    batch = rows("a", session="one") + rows("a", session="two")

    assert list(
        MessageWriter(Lake.of(HypHome(tmp_path)), run_id="r").commit(batch, files=2).fresh
    ) == [0]


def test_what_another_writer_commits_meanwhile_is_known(tmp_path: Path) -> None:
    home = HypHome(tmp_path)
    mine, theirs = (
        MessageWriter(Lake.of(home), run_id="m"),
        MessageWriter(Lake.of(home), run_id="t"),
    )
    mine.commit(rows("a"), files=1)
    theirs.commit(rows("a", "b"), files=1)

    assert list(mine.commit(rows("a", "b", "c"), files=1).fresh) == [2]
    assert list(theirs.commit(rows("c", "d"), files=1).fresh) == [1]
    assert fetch(home, "select count(*), count(distinct part_id) from ai_gateway_messages") == [
        (4, 4)
    ]


def test_a_snapshot_names_its_run_and_counts(tmp_path: Path) -> None:
    home = HypHome(tmp_path)
    MessageWriter(Lake.of(home), run_id="run-7").commit(rows("a", "b"), files=3)

    table = open_for_reading(Lake.of(home))
    assert table is not None
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    properties = snapshot.summary.additional_properties
    assert (properties["hyp.run-id"], properties["hyp.rows"], properties["hyp.files"]) == (
        "run-7",
        "2",
        "3",
    )


def test_rows_are_numbered_over_all_commits_in_sort_order(tmp_path: Path) -> None:
    home = HypHome(tmp_path)
    writer = MessageWriter(Lake.of(home), run_id="r")
    writer.commit(rows("z2", session="z") + rows("a1", "a2", session="a"), files=1)
    MessageWriter(Lake.of(home), run_id="r2").commit(rows("b", session="0"), files=1)

    table = open_for_reading(Lake.of(home))
    assert table is not None
    stored = table.scan(selected_fields=("message_id", INGEST_SEQ)).to_arrow().to_pylist()
    by_number = sorted(stored, key=lambda row: row[INGEST_SEQ])
    assert [(row[INGEST_SEQ], row["message_id"]) for row in by_number] == [
        (1, "a1"),
        (2, "a2"),
        (3, "z2"),
        (4, "b"),
    ]


def test_rows_of_two_months_are_two_files(tmp_path: Path) -> None:
    home = HypHome(tmp_path)
    month_ms = 31 * 86_400_000
    batch = rows("a") + rows("b", created_ms=1_793_520_000_000 + month_ms)
    MessageWriter(Lake.of(home), run_id="r").commit(batch, files=1)

    table = open_for_reading(Lake.of(home))
    assert table is not None
    assert len(list(table.scan().plan_files())) == 2


def test_a_commit_that_fails_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    home = HypHome(tmp_path)
    writer = MessageWriter(Lake.of(home), run_id="r")
    writer.commit(rows("a"), files=1)
    broken = [row._replace(role=None) for row in rows("b")]  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="role"):
        writer.commit(broken, files=1)

    assert list(writer.commit(rows("b"), files=1).fresh) == [0]
    assert fetch(home, "select count(*) from ai_gateway_messages") == [(2,)]


def test_every_file_and_folder_is_on_disk_before_the_catalog_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[tuple[int, int]]
) -> None:
    home = HypHome(tmp_path)
    writer = MessageWriter(Lake.of(home), run_id="r")
    monkeypatch.setattr(SqlCatalog, "commit_table", _refuse_commit)
    with pytest.raises(InterruptedError):
        writer.commit(rows("a"), files=1)

    paths = [path for path in Lake.of(home).warehouse_dir.rglob("*") if path.name[0] != "."]
    assert {path.suffix for path in paths} == {"", ".parquet", ".avro", ".json"}
    assert {(path.stat().st_dev, path.stat().st_ino) for path in paths} <= set(synced)


def _refuse_commit(*_: Any) -> None:
    raise InterruptedError


@pytest.mark.parametrize("name", ["with space", "ümläut", "q?h#p%20'", "a[1]*"])
def test_any_name_of_a_home_works(tmp_path: Path, name: str) -> None:
    home = HypHome(tmp_path / name)
    MessageWriter(Lake.of(home), run_id="r").commit(rows("a"), files=1)

    assert fetch(home, "select content_text from ai_gateway_messages") == [("a",)]
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def _commit_alone(arguments: tuple[Path, int]) -> int:
    root, number = arguments
    batch = rows("shared", f"own-{number}")
    return len(
        MessageWriter(Lake.of(HypHome(root)), run_id=f"r{number}").commit(batch, files=1).fresh
    )


@pytest.mark.process
def test_processes_that_race_make_one_table_and_each_part_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        written = pool.map(_commit_alone, [(tmp_path, number) for number in range(4)], chunksize=1)

    assert sorted(written) == [1, 1, 1, 2]
    assert fetch(
        HypHome(tmp_path), "select count(*), count(distinct part_id) from ai_gateway_messages"
    ) == [(5, 5)]
