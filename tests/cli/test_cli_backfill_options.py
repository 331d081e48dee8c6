"""The command line of ``hyp backfill``: options, selection, list and plan (import §10)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.cli import backfill
from hypactors.cli._import_options import Options, parse_options
from hypactors.config import PluginEntry
from hypactors.errors import UsageError
from hypactors.providers import parse_time_ms
from tests.cli.sample import (
    environ,
    fake,
    line,
    write_transcript,
)

if TYPE_CHECKING:
    from pathlib import Path

LISTED = "'hyp backfill --help' lists them"


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (
            ["--since=2026-01-02", "--until", "2026-01-01"],
            "--since must be before or equal to --until (got 2026-01-02 > 2026-01-01)",
        ),
        (["--since", "soon"], "--since expects a parseable date (got soon)"),
        (["--until="], "--until expects a parseable date (got )"),
        (["--since"], "--since expects a value"),
        (["--since", "--json"], "--since expects a value"),
        (
            ["--retention-days", "abc"],
            "--retention-days expects a non-negative number (got abc)",
        ),
        (["--retention-days", "-3"], "--retention-days expects a non-negative number (got -3)"),
        (["--retention-days=inf"], "--retention-days expects a non-negative number (got inf)"),
        (["--retention-days=1e999"], "--retention-days expects a non-negative number (got 1e999)"),
        (["--nope\n"], rf"no such option: '--nope\n'; {LISTED}"),
        (["-x"], f"no such option: '-x'; {LISTED}"),
        (["--json=yes"], "--json takes no value"),
        (["plan", "--since", "2026-01-01"], "plan does not take --since"),
        (["plan", "--until", "2026-01-01"], "plan does not take --until"),
        (["plan", "--dry-run"], "plan does not take --dry-run"),
        (["list", "--dry-run"], "list does not take --dry-run"),
        (["list", "claude"], "list takes no provider names"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_2(
    argv: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """import 1, 2, 4."""
    assert backfill.main(argv, environ(tmp_path)) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"hyp backfill: {reason}\n")


def test_help_is_the_usage_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """import 2."""
    assert backfill.main(["--help"], environ(tmp_path)) == 2
    assert capsys.readouterr().err.startswith("hyp backfill: usage: hyp backfill [provider...]")


def test_options() -> None:
    """import 1, 3, 4."""
    day = parse_time_ms("2026-01-01")
    assert parse_options([]) == Options()
    assert parse_options(["--since", "2026-01-01", "a", "--until=2026-01-01", "--json", "b"]) == (
        Options(providers=("a", "b"), since_ms=day, until_ms=day, json=True)
    )
    assert parse_options(["plan", "claude", "--retention-days=14", "--json"]) == Options(
        command="plan", providers=("claude",), retention_days=14, json=True
    )
    assert parse_options(["--json", "list"]).command == "list"
    assert parse_options(["--retention-days", "0.5"]).retention_days == 0.5
    with pytest.raises(UsageError):
        parse_options(["-h"])


def test_selection() -> None:
    """import 5, 6."""
    available = [fake("claude"), fake("codex")]
    plugins = [
        PluginEntry("@x/claude", enabled=False),
        PluginEntry("@x/codex"),
        PluginEntry("@x/other"),
    ]

    assert backfill.select_providers(["claude", "ghost"], available, []) == (
        [available[0]],
        ["ghost"],
    )
    assert backfill.select_providers(["codex", "codex"], available, [])[0] == [available[1]] * 2
    assert backfill.select_providers([], available, plugins) == ([available[1]], [])


def test_the_list_in_text_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backfill.main(["list"], environ(tmp_path)) == 0
    assert capsys.readouterr().out.startswith(
        "Backfill providers:\n"
        "  claude  (@hypaware/claude)  -> ai_gateway_messages\n"
        "    Import local Claude Code transcripts into ai_gateway_messages\n"
    )
    assert backfill.main(["list", "--json"], environ(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out)["providers"][0] == {
        "name": "claude",
        "plugin": "@hypaware/claude",
        "datasets": ["ai_gateway_messages"],
        "summary": "Import local Claude Code transcripts into ai_gateway_messages",
    }


def test_the_plan_in_text_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = environ(tmp_path, DEV_RUN_ID="dev-1")
    assert backfill.main(["plan", "claude", "--retention-days", "14"], env) == 0
    assert capsys.readouterr().out == (
        "backfill plan (retention=14d)\n"
        "  claude  (@hypaware/claude)  -> ai_gateway_messages\n"
        "    (provider did not return a plan)\n"
    )
    assert backfill.main(["plan"], env) == 0
    assert capsys.readouterr().out == ("backfill plan (retention=90d)\n  (no providers selected)\n")
    assert backfill.main(["plan", "claude", "--json"], env) == 0
    assert json.loads(capsys.readouterr().out) == {
        "run_id": "dev-1",
        "providers": [
            {
                "provider": "claude",
                "plugin": "@hypaware/claude",
                "datasets": ["ai_gateway_messages"],
            }
        ],
    }


def test_unknown_names_stop_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """import 11."""
    write_transcript(tmp_path, line(1))
    assert backfill.main(["ghost", "claude", "b"], environ(tmp_path)) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hyp backfill: unknown provider(s): ghost, b\n")
    assert not (tmp_path / "hyp").exists()


def test_nothing_selected_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    env = environ(tmp_path, HYP_RUN_ID="r")
    assert backfill.main([], env) == 0
    assert "no provider is enabled in the config (registered: claude" in capsys.readouterr().out
    assert backfill.main(["--json"], env) == 0
    assert json.loads(capsys.readouterr().out) == {"run_id": "r", "providers": []}
    monkeypatch.setattr(backfill, "find_providers", tuple)
    assert backfill.main([], env) == 0
    assert "no provider is registered" in capsys.readouterr().out
