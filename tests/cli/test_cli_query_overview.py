"""``hyp query overview``, ``datasets`` and ``schema`` as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hypactors.cli import query
from hypactors.cli._cells import bar, pointed_at, width
from hypactors.cli._overview_text import overview_lines
from hypactors.dataset import COLUMNS
from hypactors.lake import Lake
from hypactors.paths import HypHome
from hypactors.sql import Tokens, overview
from tests.sql.cached import made_up, put, response

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "\x1b]0;owned\x07\u202e<script>"


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    home = HypHome(tmp_path / "home")
    put(
        Lake.of(home),
        [
            response("large", "2026-11-01", input_tokens=1_000, output_tokens=2_000),
            response("small", "2026-11-03", input_tokens=500),
            made_up(part_type="tool_call", tool_name="Bash", cwd="/src/" + "deep/" * 40 + "end"),
            made_up(part_type="tool_result", tool_name="Bash", is_error=True),
            made_up(part_type="tool_call", tool_name=HOSTILE, cwd=HOSTILE, session_id=HOSTILE),
            response(HOSTILE, "2026-11-01", output_tokens=1),
        ],
    )
    return home


def run(capsys: pytest.CaptureFixture[str], home: HypHome, *argv: str) -> tuple[int, str, str]:
    code = query.main(argv, {"HYP_HOME": str(home.root)})
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_overview_has_every_part(
    capsys: pytest.CaptureFixture[str], home: HypHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    code, out, err = run(capsys, home, "overview")

    assert (code, err) == (0, "")
    assert out.splitlines()[:8] == [
        "2026-11-01 to 2026-11-03  (sessions: claude 2)",
        "2 sessions, 6 messages, 2 tool calls, 3 responses",
        "",
        "Tokens by day (UTC)",
        "  2026-11-01  3.00 k  " + "█" * 37,
        "  2026-11-02       0",
        "  2026-11-03     500  " + "█" * 6 + "▏",
        "",
    ]
    for part in ("Tokens by model", "Tools", "Sessions by repository", "1 failed", "large"):
        assert part in out


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_no_bar_is_wider_than_the_terminal_and_nothing_can_paint_it(
    home: HypHome, columns: int
) -> None:
    found = overview(Lake.of(home), None)
    lines = list(overview_lines(found, columns=columns, blocks=True, coloured=False))

    assert all(line.isprintable() for line in lines)
    assert max(width(line) for line in lines if "█" in line) <= max(columns, 60)
    assert any(line.endswith("█") for line in lines)


def test_the_models_fit_into_a_terminal_of_80_columns(home: HypHome) -> None:
    millions = Tokens(*[123_456_789] * 4)
    found = overview(Lake.of(home), None)
    model = msgspec.structs.replace(
        found.models[0], model="a-model-with-a-name-that-goes-on", responses=99_999, tokens=millions
    )
    found = msgspec.structs.replace(found, models=[model, model])

    lines = list(overview_lines(found, columns=80, blocks=True, coloured=False))
    first = next(line for line in lines if "123 M" in line)
    assert first.startswith("  a-model-with-a-name-that-")
    assert max(map(width, lines)) <= 80


@pytest.mark.process
def test_an_encoding_without_blocks_gets_plain_bars(home: HypHome) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hypactors", "query", "overview"],
        env={"HYP_HOME": str(home.root), "PYTHONIOENCODING": "ascii", "COLUMNS": "60"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert b"  2026-11-01  3.00 k  " + b"#" * 37 in done.stdout
    assert done.stderr == b""


def test_the_overview_as_json_keeps_every_name_as_it_is(
    capsys: pytest.CaptureFixture[str], home: HypHome
) -> None:
    _, out, _ = run(capsys, home, "overview", "--json", "--since", "2026-11-01T00:00:00Z")

    document = json.loads(out)
    assert document["since"] == "2026-11-01T00:00:00.000Z"
    assert document["totals"]["tokens"] == {
        "input": 1500, "output": 2001, "cache_read": 0, "cache_write": 0
    }  # fmt: skip
    assert {each["tool"] for each in document["tools"]} == {"Bash", HOSTILE}
    assert len(document["model_days"]) == 3


def test_a_window_in_which_nothing_was_said_is_said(
    capsys: pytest.CaptureFixture[str], home: HypHome
) -> None:
    code, out, _ = run(capsys, home, "overview", "--since", "2126-01-01T00:00:00Z")
    assert (code, out) == (0, "Nothing was said since 2126-01-01T00:00:00.000Z.\n")


@pytest.mark.parametrize("question", ["overview", "datasets"])
def test_before_the_first_import_there_is_a_note_and_no_chart(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, question: str
) -> None:
    home = HypHome(tmp_path / "new")
    code, out, err = run(capsys, home, question)

    assert (code, out) == (0, "")
    assert err == "hyp query: nothing was imported yet; 'hyp backfill' imports\n"
    assert run(capsys, home, question, "--json")[0] == 0
    assert not home.root.exists()


def test_datasets_have_their_rows_files_and_bytes(
    capsys: pytest.CaptureFixture[str], home: HypHome
) -> None:
    put(Lake.of(home), [made_up(client_name="codex", session_id="z")])
    files = list(home.lake_dir.rglob("*.parquet"))

    [found] = json.loads(run(capsys, home, "datasets", "--json")[1])["datasets"]

    assert found["name"] == "ai_gateway_messages"
    assert (found["rows"], found["sessions"], found["files"]) == (7, 3, len(files))
    assert found["bytes"] == sum(path.stat().st_size for path in files)
    assert (found["first_at"], found["last_at"]) == (
        "2026-11-01T08:00:00.000Z",
        "2026-11-03T12:00:00.000Z",
    )
    assert {each["client"]: each["rows"] for each in found["clients"]} == {"claude": 6, "codex": 1}
    code, out, _ = run(capsys, home, "datasets")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[2:]] == [
        "ai_gateway_messages", "claude", "codex"
    ]  # fmt: skip


def test_the_schema_has_a_meaning_for_each_column_and_the_type_that_a_query_has(
    capsys: pytest.CaptureFixture[str], home: HypHome
) -> None:
    columns = json.loads(run(capsys, home, "schema", "--json")[1])["columns"]

    assert [each["name"] for each in columns] == [column.name for column in COLUMNS]
    assert all(each["meaning"] for each in columns)
    assert {each["name"] for each in columns if each["is_json"]} == {
        "tools", "previous_message_id", "tool_args", "compact_metadata", "status", "attributes",
        "raw_frame",
    }  # fmt: skip
    _, out, _ = run(capsys, home, "sql", "describe ai_gateway_messages", "--json")
    types: dict[str, Any] = {row["column_name"]: row["column_type"] for row in json.loads(out)}
    assert {each["name"]: each["type"] for each in columns} == {
        name: kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
        for name, kind in types.items()
    }
    assert "attributes" in run(capsys, home, "schema", "ai_gateway_messages")[1]


def test_a_table_that_there_is_not_is_exit_1(
    capsys: pytest.CaptureFixture[str], home: HypHome
) -> None:
    assert run(capsys, home, "schema", "x") == (
        1, "", "hyp query: there is no table 'x'; the only one is ai_gateway_messages\n"
    )  # fmt: skip


def test_what_is_not_nothing_can_be_seen() -> None:
    assert bar(0, 10, blocks=True) == ""
    assert bar(1e-9, 10, blocks=True) == "▏"
    assert bar(1e-9, 10, blocks=False) == "#"
    assert width(bar(1, 10, blocks=True)) == width(bar(1, 10, blocks=False)) == 10


@pytest.mark.parametrize("column", [1, 40, 100, 199, 200])
def test_the_caret_stands_under_its_place_in_a_long_line(column: int) -> None:
    line = "".join(chr(0x61 + index % 26) for index in range(200))
    text, caret = pointed_at(line, column)

    assert width(text) <= 66
    assert text[caret.index("^")] == line[column - 1]


def test_the_caret_counts_wide_characters_twice() -> None:
    assert pointed_at("雨\t x", 4) == ["  雨  x", "      ^"]
    assert pointed_at("", 0) == []
