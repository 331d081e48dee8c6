"""No SQL reads anything but the cache, or changes anything at all (contract §8)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest

from hypactors.errors import HypError
from hypactors.lake import Lake
from hypactors.sql import query
from tests.sql.cached import made_up, put

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    put(lake, [made_up()])
    return lake


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.mark.parametrize("hidden", ["tree", "call"])
def test_a_copy_inside_a_serialised_statement_cannot_overwrite_the_cache(
    lake: Lake, hidden: str
) -> None:
    """DuckDB runs such a tree whatever is in it, and this file is one it may open."""
    before = contents(lake.folder)
    [data] = [path for path in before if path.suffix == ".parquet"]
    copy = f"with x as (copy (select 1) to '{data}' (use_tmp_file false)) from x"  # noqa: S608 - it is an attack
    [(tree,)] = duckdb.execute("select json_serialize_sql(?::varchar)", [copy]).fetchall()
    if json.loads(tree)["error"]:
        pytest.skip("this DuckDB has no COPY inside of WITH")
    argument = quoted(tree) if hidden == "tree" else f"json_serialize_sql({quoted(copy)})"

    with pytest.raises(HypError, match="json_execute_serialized_sql cannot be read from here"):
        list(query(lake, f"from JSON_Execute_Serialized_SQL({argument})").rows)

    assert contents(lake.folder) == before


@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv('{secret}')",
        "from read_csv_auto('{secret}')",
        "from read_parquet('{secret}')",
        "from parquet_scan('{secret}')",
        "from parquet_metadata('{data}')",
        "from read_blob('{secret}')",
        "from read_text('{secret}')",
        "from read_json('{secret}')",
        "from read_ndjson_objects('{secret}')",
        "from sniff_csv('{secret}')",
        "from glob('{folder}/*')",
        "select (select content from read_text('{secret}'))",
        "select 1 where exists (from read_text('{secret}'))",
        "with x as (from read_text('{secret}')) from x",
        "select 1 union all select content from read_text('{secret}')",
        "from system.main.read_text('{secret}')",
        "describe select * from read_text('{secret}')",
        "summarize select * from read_text('{secret}')",
        "explain analyze select * from read_text('{secret}')",
        "from '{secret}'",
        'from "{secret}"',
        "from 's3://bucket/key.parquet'",
        "from 'https://127.0.0.1:9/x.csv'",
        "from query('select 1')",
        "from query_table('{secret}')",
        "select getenv('HOME')",
        "from duckdb_secrets()",
        "from which_secret('s3://bucket', 's3')",
        "from enable_logging()",
        "from enable_profiling()",
        "from checkpoint()",
        "from force_checkpoint()",
        "from sql_auto_complete('sel')",
        "from sqlite_scan('{secret}', 't')",
        "from arrow_scan(1, 2, 3)",
    ],
)
def test_nothing_but_the_cache_can_be_read(lake: Lake, tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nCANARY\n")
    [data] = lake.folder.rglob("*.parquet")

    with pytest.raises(HypError) as caught:
        list(query(lake, sql.format(secret=secret, folder=tmp_path, data=data)).rows)

    assert "CANARY" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "set memory_limit = '1GB'",
        "set global threads = 1",
        "set variable a = 1",
        "reset all",
        "pragma threads = 1",
        "pragma json_execute_serialized_sql('x')",
        "call enable_logging()",
        "install json",
        "force install json",
        "load json",
        "update extensions",
        "attach ':memory:' as other",
        "detach memory",
        "use temp",
        "export database '{file}'",
        "import database '{file}'",
        "copy ai_gateway_messages to '{file}'",
        "copy ai_gateway_messages from '{file}'",
        "create secret (type s3)",
        "create macro f() as 1",
        "prepare p as select 1",
        "execute p",
        "begin",
        "checkpoint",
        "vacuum",
        "delete from ai_gateway_messages",
        "update ai_gateway_messages set model = 'x'",
        "truncate ai_gateway_messages",
        "alter view ai_gateway_messages rename to x",
        "comment on view ai_gateway_messages is 'x'",
        "with x as (delete from ai_gateway_messages returning 1) from x",
        "select 1 where exists (with x as (copy (select 1) to '{file}') from x)",
        "explain (format json) with x as (copy (select 1) to '{file}') from x",
        "explain/**/analyze with x as (copy (select 1) to '{file}') from x",
        "select 1; drop view ai_gateway_messages",
        "select 1 /* ; */; copy (select 1) to '{file}'",
        "-- nothing",
        "select '\ud800'",
    ],
)
def test_nothing_can_be_changed_or_set(lake: Lake, tmp_path: Path, sql: str) -> None:
    before = contents(tmp_path)

    with pytest.raises(HypError) as caught:
        list(query(lake, sql.format(file=tmp_path / "out")).rows)

    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select * from range(3)", 3),
        ("select unnest([1, 2])", 2),
        ("from generate_series(1, 4)", 4),
        ("select value from ai_gateway_messages, json_each('[1, 2]')", 2),
        ("from json_tree('[1]')", 2),
        ("select 1 -- ; drop table x", 1),
        ("select count(*) from duckdb_functions()", 1),
    ],
)
def test_functions_that_make_rows_of_values_can_be_used(lake: Lake, sql: str, rows: int) -> None:
    assert len(list(query(lake, sql).rows)) == rows
