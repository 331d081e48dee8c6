"""``hyp query sql`` as a person types it (contract §8)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cache import MessageWriter
from hypactors.cli import query
from hypactors.cli._query_output import json_lines, table_lines
from hypactors.lake import Lake
from hypactors.paths import HypHome
from hypactors.providers import Exchange, Message, expand

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a machine with one imported message."""
    message = Message(
        role="user", content="hi\x1b[31m\n" + "long " * 50, message_id="m",
        message_created_ms=1_793_520_000_005, compact_metadata={"n": 2**60, "f": 1.5},
    )  # fmt: skip
    exchange = Exchange(
        provider="p", session_id="s", client_name="c", source_path="/", native_id="s",
        messages=[message],
    )  # fmt: skip
    MessageWriter(Lake.of(HypHome(tmp_path)), run_id="r").commit(
        list(expand(exchange, now_ms=0)), files=1
    )
    return {"HYP_HOME": str(tmp_path)}


def run(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], *argv: str
) -> tuple[int, str, str]:
    code = query.main(argv, environ)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_rows_as_json(capsys: pytest.CaptureFixture[str], environ: dict[str, str]) -> None:
    sql = (
        "select message_created_at, previous_message_id, compact_metadata, tool_args, "
        "is_error, message_index from ai_gateway_messages"
    )
    code, out, err = run(capsys, environ, "sql", sql, "--json")

    assert (code, err) == (0, "")
    assert json.loads(out) == [
        {
            "message_created_at": "2026-11-01T08:00:00.005Z",
            "previous_message_id": [],
            "compact_metadata": {"n": 1152921504606847000, "f": 1.5},
            "tool_args": None,
            "is_error": None,
            "message_index": 0,
        }
    ]


def test_no_rows_are_an_empty_array(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    sql = "select 1 as a where false"
    assert run(capsys, environ, "sql", "--json", sql) == (0, "[]\n", "")


def test_a_table_is_aligned_and_cannot_paint_the_terminal(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    sql = (
        "select content_text, part_index, model from ai_gateway_messages "
        "union all select 'x', 1234, 'm' order by part_index"
    )
    code, out, _ = run(capsys, environ, "sql", sql)

    assert code == 0
    lines = out.splitlines()
    assert lines == [
        "content_text" + " " * 48 + "  part_index  model",
        "-" * 60 + "  " + "-" * 10 + "  -----",
        ("hi [31m " + "long " * 50)[:59] + "…" + "  " + " " * 9 + "0  NULL",
        "x" + " " * 59 + "  " + " " * 6 + "1234  m",
        "(2 rows)",
    ]


def test_before_the_first_import_there_are_no_rows_and_a_note(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = run(
        capsys,
        {"HYP_HOME": str(tmp_path / "new")},
        "sql",
        "select * from ai_gateway_messages",
        "--json",
    )

    assert (code, out) == (0, "[]\n")
    assert err.startswith("hyp query: nothing was imported yet")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("sql", "message", "place"),
    [
        (
            "select\n  nope from ai_gateway_messages",
            'Referenced column "nope" not found',
            ["    nope from ai_gateway_messages", "    ^"],
        ),
        ("select * from else_", "else_ does not exist", ["  select * from else_", f"{' ' * 16}^"]),
        ("drop table x", "the cache is read-only", []),
        ("select 1; select 2", "the cache is read-only", []),
        (
            "select cast('x' as int)",
            "Could not convert string 'x' to INT32",
            ["  select cast('x' as int)", "         ^"],
        ),
    ],
)
def test_a_wrong_statement_is_one_line_with_its_place_and_exit_1(
    capsys: pytest.CaptureFixture[str],
    environ: dict[str, str],
    sql: str,
    message: str,
    place: list[str],
) -> None:
    code, out, err = run(capsys, environ, "sql", sql)

    assert (code, out) == (1, "")
    assert err.startswith("hyp query: ")
    assert message in err
    assert err.splitlines()[1:] == place


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "one of sql, schema, datasets, overview"),
        (("rows", "x"), "no such question: 'rows'"),
        (("sql",), "required: statement"),
        (("sql", ""), "the statement is empty"),
        (("sql", " \n"), "the statement is empty"),
        (("sql", "a", "b"), "unrecognized arguments: b"),
        (("sql", "x", "--nope"), "no such option: '--nope'"),
        (("sql", "x", "--json", "--csv"), "not allowed with"),
        (("sql", "x", "--limit", "-1"), "--limit: expects a number from 0 on (got -1)"),
        (("sql", "x", "--timeout", "soon"), "--timeout: expects a number of seconds (got soon)"),
        (("sql", "x", "--timeout", "nan"), "--timeout: expects a number of seconds (got nan)"),
        (("overview", "--timeout", "0"), "--timeout: expects a number of seconds (got 0)"),
        (("datasets", "--timeout", "1e300"), "--timeout: expects a number of seconds"),
        (("sql", "x", "--force"), "--force goes with --parquet"),
        (("overview", "--since", "soon"), "--since expects a duration"),
        (("schema", "a", "b"), "unrecognized arguments: b"),
        (("datasets", "a"), "unrecognized arguments: a"),
    ],
)
def test_wrong_arguments_are_exit_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, argv: tuple[str, ...], message: str
) -> None:
    code, out, err = run(capsys, {"HYP_HOME": str(tmp_path)}, *argv)

    assert (code, out) == (2, "")
    assert message in err
    assert "--help" in err or "--since" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("question", [(), ("sql",), ("schema",), ("datasets",), ("overview",)])
def test_help_is_on_stdout_with_an_example(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, question: tuple[str, ...]
) -> None:
    try:
        code = query.main([*question, "--help"], {"HYP_HOME": str(tmp_path)})
    except SystemExit as stopped:  # as argparse does it
        code = int(str(stopped.code))
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    assert "example" in captured.out
    assert "hyp query" in captured.out


ODD = """select 1 as a, 2 as a, 170141183460469231731687303715884105727 as big,
    1.50::decimal(10, 2) as d, 'nan'::double as n, 'inf'::double as i, '\\xAB'::blob as b,
    map {'k': 1} as m, {'s': [1, null]} as st, ['{"q": 1}'::json] as js, date '2026-01-02' as day,
    time '03:04:05' as t, timestamp '2026-01-02 03:04:05.678' as ts, interval 3 day as iv,
    '643c3774-a247-4bbe-a90a-4e52574a4092'::uuid as u, null as nothing"""


def test_every_type_has_a_json_value(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    code, out, _ = run(capsys, environ, "sql", ODD, "--json")

    assert code == 0
    assert json.loads(out) == [
        {
            "a": 1,
            "a_1": 2,
            "big": 170141183460469231731687303715884105727,
            "d": 1.5,
            "n": None,
            "i": None,
            "b": "ab",
            "m": {"k": 1},
            "st": {"s": [1, None]},
            "js": [{"q": 1}],
            "day": "2026-01-02",
            "t": "03:04:05",
            "ts": "2026-01-02T03:04:05.678Z",
            "iv": "0 months 3 days 0 seconds",
            "u": "643c3774-a247-4bbe-a90a-4e52574a4092",
            "nothing": None,
        }
    ]
    assert run(capsys, environ, "sql", ODD)[0] == 0


def test_json_that_python_cannot_hold_is_no_error(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    sql = "select '[1e400, 1.5]'::json as a, (repeat('[', 99999) || repeat(']', 99999))::json as b"
    code, out, _ = run(capsys, environ, "sql", sql, "--json")

    assert code == 0
    [row] = json.loads(out)
    assert row == {"a": [None, 1.5], "b": "[" * 99_999 + "]" * 99_999}


def test_a_plan_is_shown_as_it_is_drawn(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    code, out, _ = run(capsys, environ, "sql", "explain select role from ai_gateway_messages")

    assert code == 0
    assert len(out.splitlines()) > 3
    assert "…" not in out


def test_wide_and_combining_characters_keep_the_columns_aligned() -> None:
    columns = [("a", "VARCHAR"), ("b", "VARCHAR")]
    rows: list[tuple[Any, ...]] = [("雨", "x"), ("e\u0301", "y"), ("\u202eabc", "z")]

    assert list(table_lines(columns, rows)) == [
        "a     b",
        "----  -",
        "雨    x",
        "e\u0301     y",
        " abc  z",
        "(3 rows)",
    ]


def test_a_long_result_is_written_as_it_comes() -> None:
    def rows() -> Any:
        yield (1,)
        raise AssertionError("read ahead")

    assert next(json_lines([("a", "INTEGER")], rows())) == '[{"a": 1}'


@pytest.mark.process
def test_a_terminal_that_cannot_show_a_character_is_no_error(environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hypactors", "query", "sql", "select '\u0436' as a"],
        env={**environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert b"?" in done.stdout
