"""What ``hyp query`` prints beside tables and JSON: CSV, Parquet, schema, datasets, overview."""

from __future__ import annotations

import csv
import io
import json
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from hypactors.cache import MessageWriter
from hypactors.cli import query
from hypactors.cli._overview_text import overview_lines
from hypactors.dataset import COLUMNS
from hypactors.dataset.meanings import MEANINGS
from hypactors.lake import Lake
from hypactors.paths import HypHome
from hypactors.providers import Exchange, Message, expand
from hypactors.sql import Counted, Overview, Session, Tokens, Tool

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = 'x\x1b[2J",\n<b>'


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a machine with some imported messages."""
    messages = [
        Message(
            role="user", content=HOSTILE, message_id="m1", message_created_ms=1_793_520_000_005,
        ),
        Message(
            role="assistant", model="big", message_id="m2", message_created_ms=1_793_520_001_000,
            content=[{"type": "tool_use", "id": "c1", "name": HOSTILE, "input": {}}],
            attributes={"usage": {"input_tokens": 5, "output_tokens": 7}},
        ),
        Message(
            role="user", message_id="m3", message_created_ms=1_793_606_401_000,
            content=[{"type": "tool_result", "tool_use_id": "c1", "is_error": True}],
        ),
    ]  # fmt: skip
    exchange = Exchange(
        provider="p", session_id="s", client_name="claude", source_path="/", native_id="s",
        messages=messages, git_remote="https://example.org/r.git",
    )  # fmt: skip
    MessageWriter(Lake.of(HypHome(tmp_path)), run_id="r").commit(list(expand(exchange, now_ms=0)))
    return {"HYP_HOME": str(tmp_path)}


def run(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], *argv: str
) -> tuple[int, str, str]:
    code = query.main(argv, environ)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_rows_as_csv(capsys: pytest.CaptureFixture[str], environ: dict[str, str]) -> None:
    sql = (
        "select content_text, model, previous_message_id as p, is_error, message_index as i"
        " from ai_gateway_messages order by i"
    )
    code, out, _ = run(capsys, environ, "sql", sql, "--csv")
    assert code == 0
    assert list(csv.reader(io.StringIO(out))) == [
        ["content_text", "model", "p", "is_error", "i"],
        [HOSTILE, "", "[]", "", "0"],
        ["", "big", '["m1"]', "", "1"],
        ["", "", '["m2"]', "true", "2"],
    ]


def test_rows_as_parquet(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "out.parquet"
    sql = "select message_id, message_created_at from ai_gateway_messages order by 1"
    code, out, err = run(capsys, environ, "sql", sql, "--parquet", str(path))
    assert (code, out, err) == (0, "", f"hyp query: 3 rows in {path}\n")
    assert pq.read_table(path).column("message_id").to_pylist() == ["m1", "m2", "m3"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    code, _, err = run(capsys, environ, "sql", "select 1", "--parquet", str(path))
    assert (code, err) == (1, f"hyp query: {path} is there already; --force replaces it\n")
    code, _, err = run(capsys, environ, "sql", "select nope", "--parquet", str(path), "--force")
    assert code == 1
    assert pq.read_metadata(path).num_rows == 3, "what was there stays when the new one fails"
    assert run(capsys, environ, "sql", "select 1", "--parquet", str(path), "--force")[0] == 0
    assert pq.read_metadata(path).num_rows == 1
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".tmp")] == []


def test_a_folder_that_is_not_there_is_said(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "nowhere" / "out.parquet"
    code, _, err = run(capsys, environ, "sql", "select 1", "--parquet", str(path))
    assert code == 1
    assert err.startswith(f"hyp query: {path}: cannot be written (")
    assert err.count("\n") == 1


def test_a_limit_cuts_and_says_so(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    code, out, err = run(capsys, environ, "sql", "from range(5)", "--limit", "2", "--json")
    assert (code, json.loads(out)) == (0, [{"range": 0}, {"range": 1}])
    assert err == "hyp query: there is more than 2 rows; --limit 0 shows all\n"
    code, out, err = run(capsys, environ, "sql", "from range(2)", "--limit", "2", "--json")
    assert (code, err) == (0, "")
    assert (
        len(json.loads(run(capsys, environ, "sql", "from range(5)", "--limit=0", "--json")[1])) == 5
    )


def test_a_query_that_takes_too_long_is_ended(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    sql = "select count(*) from range(1000000000) a, range(100000) b"
    code, out, err = run(capsys, environ, "sql", sql, "--timeout", "0.2")
    assert (code, out) == (1, "")
    assert "took longer than 0.2 s" in err


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon", "1e300"])
def test_a_time_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], value: str
) -> None:
    code, _, err = run(capsys, environ, "sql", "select 1", f"--timeout={value}")
    assert code == 2
    assert "expects a number of seconds" in err


ATTACKS = (
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_parquet('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from glob('/etc/*')",
    "select * from 's3://bucket/file.parquet'",
    "copy (select 1) to '/tmp/out.csv'",
    "with x as (copy (select 1) to '/tmp/out.csv') select 1",
    "attach '/tmp/x.db'",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "pragma database_list",
    "export database '/tmp/x'",
    "create table t as select 1",
    "drop view ai_gateway_messages",
    "delete from ai_gateway_messages",
    "select 1; select 2",
    "select getenv('HOME')",
    "call pragma_version()",
)


@pytest.mark.parametrize("sql", ATTACKS)
def test_nothing_but_the_cache_is_within_reach(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], sql: str
) -> None:
    code, out, err = run(capsys, environ, "sql", sql)
    assert (code, out) == (1, "")
    assert err.startswith("hyp query: ")
    assert "root:" not in err


def test_a_statement_is_read_from_stdin(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("select 3 as n"))
    assert run(capsys, environ, "sql", "-", "--json") == (0, '[{"n": 3}\n]\n', "")


def test_a_misspelt_column_gets_a_suggestion_and_a_place(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    _, _, err = run(capsys, environ, "sql", "select modle from ai_gateway_messages")
    assert '"model"' in err
    assert "line 1, column 8" in err


def test_each_column_is_explained(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    assert [column.name for column in COLUMNS] == list(MEANINGS)
    code, out, _ = run(capsys, environ, "schema", "--json")
    columns = json.loads(out)["columns"]
    assert code == 0
    assert columns[-3] == {
        "name": "attributes", "type": "JSON", "is_required": False,
        "meaning": MEANINGS["attributes"],
    }  # fmt: skip
    assert len(run(capsys, environ, "schema")[1].splitlines()) == 57


def test_datasets_say_what_there_is(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    code, out, _ = run(capsys, environ, "datasets", "--json")
    [dataset] = json.loads(out)["datasets"]
    assert code == 0
    assert (dataset["name"], dataset["rows"], dataset["files"]) == ("ai_gateway_messages", 3, 1)
    assert dataset["size_bytes"] > 1000
    assert dataset["clients"] == [
        {
            "client": "claude", "rows": 3, "sessions": 1,
            "first_at": "2026-11-01T08:00:00.005Z", "last_at": "2026-11-02T08:00:01.000Z",
        }
    ]  # fmt: skip
    assert "ai_gateway_messages: 3 rows in 1 files" in run(capsys, environ, "datasets")[1]


def test_the_overview_as_json(capsys: pytest.CaptureFixture[str], environ: dict[str, str]) -> None:
    found = json.loads(run(capsys, environ, "overview", "--json")[1])
    assert (found["rows"], found["sessions"], found["messages"]) == (3, 1, 3)
    assert found["tokens"] == {"input": 5, "output": 7, "cache_read": 0, "cache_write": 0}
    assert found["tools"] == [{"name": HOSTILE, "calls": 1, "errors": 1}]
    assert [day["name"] for day in found["days"]] == ["2026-11-01"]
    later = json.loads(run(capsys, environ, "overview", "--since", "2026-11-02", "--json")[1])
    assert (later["rows"], later["models"], later["tokens"]["input"]) == (1, [], 0)


def test_an_overview_of_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, {"HYP_HOME": str(tmp_path)}, "overview")
    assert (code, out) == (0, "nothing to show\n")
    assert "'hyp backfill' imports" in err


def test_since_is_checked(capsys: pytest.CaptureFixture[str], environ: dict[str, str]) -> None:
    code, _, err = run(capsys, environ, "overview", "--since", "'; drop")
    assert code == 2
    assert "--since expects a duration" in err


def _overview(**more: Any) -> Overview:
    tokens = Tokens(1_000, 2_000_000, 3, 4)
    counted = [Counted(HOSTILE, 1, 2, tokens), Counted("b" * 80, 1, 1, Tokens())]
    session = Session("s" * 40, None, HOSTILE, "2026-11-01T08:00:00Z", "", 3, tokens)
    facts: dict[str, Any] = {
        "since": None, "rows": 5, "sessions": 1, "messages": 2, "first_at": "2026-11-01T08:00:00Z",
        "last_at": None, "tokens": tokens, "models": counted, "days": counted,
        "repositories": counted, "tools": [Tool(HOSTILE, 3, 1)],
        "largest_sessions": [session],
    }  # fmt: skip
    return Overview(**(facts | more))


@pytest.mark.parametrize("columns", [1, 40, 80, 300])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "nonsense"])
def test_the_overview_fits_and_cannot_paint_the_terminal(columns: int, encoding: str) -> None:
    lines = list(overview_lines(_overview(), columns, encoding))
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) <= max(40, min(columns, 120))
    assert any("2.00M" in line for line in lines)
    if encoding == "ascii":
        assert not any("█" in line for line in lines)


def test_a_catalogue_of_ones_own_is_queried(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], tmp_path: Path
) -> None:
    lake = HypHome.from_environ(environ).lake_dir
    file = tmp_path / "catalog.toml"
    file.write_text(
        f'type = "sql"\nuri = "sqlite:///{lake}/catalog.db"\nwarehouse = "{lake}/warehouse"\n'
    )
    elsewhere = {"HYP_HOME": str(tmp_path / "elsewhere")}
    sql = (
        "select a.message_id from ai_gateway_messages a join ai_gateway_messages b using (part_id)"
    )
    code, out, err = run(
        capsys, elsewhere, "sql", f"{sql} order by 1", "--csv", "--catalog", str(file)
    )
    assert (code, out, err) == (0, "message_id\nm1\nm2\nm3\n", "")
    assert "3 rows\n" in run(capsys, elsewhere, "datasets", "--catalog", str(file))[1]
    code, _, err = run(capsys, elsewhere, "sql", "select 1", "--catalog", str(tmp_path / "no.toml"))
    assert code == 1
    assert "cannot be read as a catalogue" in err


@pytest.mark.process
def test_every_form_ends_quietly(environ: dict[str, str]) -> None:
    """A timer that is still there when the interpreter ends took the process down once."""
    for arguments in (["datasets"], ["overview"], ["sql", "select 1"], ["--help"], ["sql", "-h"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "hypactors", "query", *arguments],
            env=environ, capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stderr == b""
        assert done.stdout
