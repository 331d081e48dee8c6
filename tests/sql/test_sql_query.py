"""Queries read the current snapshot and nothing else (contract §8)."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cache import MessageWriter, planned_files, remember_files
from hypactors.errors import HypError
from hypactors.lake import Lake, ReadersLock, keep_plan, kept_plan, metadata_location
from hypactors.paths import HypHome
from hypactors.providers import Exchange, Message, Row, expand
from hypactors.sql import query

if TYPE_CHECKING:
    from pathlib import Path


def row(name: str) -> list[Row]:
    message = Message(role="user", content=name, message_id=name)
    exchange = Exchange(
        provider="p", session_id="s", client_name="c", source_path="/", native_id="s",
        messages=[message],
    )  # fmt: skip
    return list(expand(exchange, now_ms=0))


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    home = HypHome(tmp_path / "home")
    MessageWriter(Lake.of(home), run_id="r").commit(row("a"), files=1)
    return home


def fetch(home: HypHome, sql: str) -> list[tuple[Any, ...]]:
    return list(query(Lake.of(home), sql).rows)


def test_without_a_table_the_view_is_empty_and_nothing_is_made(tmp_path: Path) -> None:
    home = HypHome(tmp_path / "home")
    result = query(Lake.of(home), "select * from ai_gateway_messages")

    assert not result.has_table
    assert len(result.columns) == 56
    assert list(result.rows) == []
    assert not home.root.exists()


def test_a_catalog_that_is_just_being_made_is_an_empty_view(tmp_path: Path) -> None:
    home = HypHome(tmp_path)
    home.lake_dir.mkdir(parents=True)
    Lake.of(home).catalog_file.touch()

    assert not query(Lake.of(home), "select 1").has_table


def test_a_damaged_catalog_is_said_in_one_line(home: HypHome) -> None:
    Lake.of(home).catalog_file.write_bytes(b"no database" * 100)

    with pytest.raises(HypError, match=r"the cache in .*lake cannot be read: .*not a database"):
        query(Lake.of(home), "select 1")


def test_a_lost_file_is_said_in_one_line(home: HypHome) -> None:
    for path in Lake.of(home).warehouse_dir.rglob("*.parquet"):
        path.unlink()

    with pytest.raises(HypError, match=r"No files found|No such file|Cannot open"):
        fetch(home, "select * from ai_gateway_messages")


def test_dates_that_python_cannot_hold_are_an_error_in_one_line(home: HypHome) -> None:
    with pytest.raises(HypError):
        fetch(home, "select timestamp '290000-01-01 00:00:00'")


def test_json_columns_are_json_and_the_sequence_is_hidden(home: HypHome) -> None:
    result = query(Lake.of(home), "select * from ai_gateway_messages")
    types = dict(result.columns)

    assert types["attributes"] == "JSON"
    assert types["message_created_at"] == "TIMESTAMP WITH TIME ZONE"
    assert "_hyp_ingest_seq" not in types
    assert fetch(home, "select attributes->>'$.gateway.source' from ai_gateway_messages") == [
        ("backfill",)
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "  -- a comment\nselect 1",
        "with a as (select 1) select * from a",
        "with recursive r as (select 1 n union all select n + 1 from r where n < 3) from r",
        "describe ai_gateway_messages",
        "show tables",
        "summarize ai_gateway_messages",
        "explain select 1",
        "EXPLAIN ANALYZE select copy from (select 1 as copy)",
        "explain (format json) select 1",
        "select 'copy (select 1) to ''x''' as text",
        "values (1)",
    ],
)
def test_statements_that_read_run(home: HypHome, sql: str) -> None:
    assert fetch(home, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "select 1; select 2",
        "copy (select 1) to '{file}'",
        "explain analyze copy (select 1) to '{file}'",
        "with x as (copy (select 1) to '{file}') select * from x",
        "with x as (copy (select 1) to '{file}' (use_tmp_file false)) select * from x",
        "with x as (copy (select 1) to '{file}' (format csv, use_tmp_file 0)) from x",
        "explain analyze with x as (copy (select 1) to '{file}') select * from x",
        "select * from query('with x as (copy (select 1) to ''{file}'') select * from x')",
        "create table t as select 1",
        "drop view ai_gateway_messages",
        "create or replace view ai_gateway_messages as select 1",
        "insert into ai_gateway_messages select * from ai_gateway_messages",
        "attach '{file}' as other",
        "set threads = 1",
        "reset lock_configuration",
        "pragma database_list",
        "call pragma_version()",
        "install httpfs",
        "load httpfs",
        "export database '{file}'",
    ],
)
def test_statements_that_do_more_are_refused_and_no_file_is_touched(
    home: HypHome, sql: str
) -> None:
    before = {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()}
    [data] = [path for path in before if path.suffix == ".parquet"]

    with pytest.raises(HypError):
        fetch(home, sql.format(file=str(data)))

    assert {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()} == before


def test_variables_of_this_program_are_no_tables(home: HypHome) -> None:
    with pytest.raises(HypError, match="does not exist"):
        fetch(home, "select * from files")


def test_a_commit_while_a_query_reads_does_not_disturb_it(home: HypHome) -> None:
    result = query(Lake.of(home), "select content_text from ai_gateway_messages")
    writer = MessageWriter(Lake.of(home), run_id="r2")
    for name in ("b", "c", "d"):
        writer.commit(row(name), files=1)

    assert list(result.rows) == [("a",)]
    assert len(fetch(home, "select 1 from ai_gateway_messages")) == 4


def test_what_is_remembered_of_the_files_is_used_until_the_next_commit(home: HypHome) -> None:
    lake = Lake.of(home)
    remember_files(lake)
    location = metadata_location(lake.folder)
    assert location is not None
    assert kept_plan(lake.folder, location) == planned_files(lake)
    assert len(fetch(home, "select * from ai_gateway_messages")) == 1

    keep_plan(lake.folder, location, [])
    assert fetch(home, "select * from ai_gateway_messages") == [], "it is what is asked"
    MessageWriter(lake, run_id="r").commit(row("b"), files=1)
    assert len(fetch(home, "select * from ai_gateway_messages")) == 2


@pytest.mark.process
def test_with_a_remembered_plan_iceberg_is_not_loaded(home: HypHome) -> None:
    """It is what makes the difference between half a second and one and a half."""
    program = f"""
        import sys
        from pathlib import Path
        from hypactors.lake import Lake
        from hypactors.sql import query
        print(list(query(Lake(Path({str(home.lake_dir)!r})), "select 1 + 1").rows))
        print(sorted({{"pyiceberg", "sqlalchemy"}} & set(sys.modules)))
    """
    remember_files(Lake.of(home))
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == "[(2,)]\n[]\n"


def test_a_reader_holds_its_files_until_its_last_row(home: HypHome) -> None:
    lake = Lake.of(home)
    result = query(lake, "select * from ai_gateway_messages")
    assert ReadersLock.try_alone(lake.folder) is None
    list(result.rows)
    for sql in ("select nonsense", "drop table x"):
        with pytest.raises(HypError):
            query(lake, sql)
    alone = ReadersLock.try_alone(lake.folder)
    assert alone is not None
    alone.close()
