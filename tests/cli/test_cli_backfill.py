"""``hyp backfill`` as a person or the daemon runs it (import §10)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hypactors.cache import Committed, MessageWriter
from hypactors.cli import backfill, query
from hypactors.cli._import_options import Options, parse_options
from hypactors.config import PluginEntry
from hypactors.errors import UsageError
from hypactors.paths import HypHome
from hypactors.providers import Exchange, Message, Provider, ScanContext, parse_time_ms

DATA = Path(__file__).parent.parent / "data" / "transcripts"
SINCE = "--since=2020-01-01T00:00:00Z"
CONFIG = {
    "version": 2,
    "plugins": [
        {"name": "@hypaware/ai-gateway"},
        {"name": "@hypaware/claude"},
        {"name": "@hypaware/codex"},
    ],
}
JSON_COLUMNS = ("attributes", "raw_frame", "tool_args", "status", "previous_message_id")


def environ(tmp_path: Path, home: Path | None = None, **extra: str) -> dict[str, str]:
    return {
        "HYP_HOME": str(tmp_path / "hyp"),
        "HOME": str(home or tmp_path),
        "PATH": os.environ["PATH"],
        **extra,
    }


def write_config(tmp_path: Path, content: str) -> None:
    path = tmp_path / "hyp" / "hypaware-config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def write_transcript(tmp_path: Path, *lines: dict[str, Any]) -> Path:
    path = tmp_path / ".claude" / "projects" / "p" / "s.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(number: int, text: str = "hello") -> dict[str, Any]:
    return {
        "sessionId": "s",
        "uuid": f"u{number}",
        "type": "user",
        "timestamp": f"2026-11-01T08:00:{number:02d}.000Z",
        "message": {"role": "user", "content": text},
    }


def stored(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Read the whole table back as ``hyp query`` prints it."""
    sql = "select * from ai_gateway_messages order by part_id"
    assert query.main(["sql", sql, "--json"], env) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


# --- the golden corpora -------------------------------------------------------------------------


def without_varying(row: dict[str, Any], golden: dict[str, Any]) -> dict[str, Any]:
    """Take out the closed list of what differs between machines (contract §11)."""
    row = json.loads(json.dumps(row))
    row["attributes"]["gateway"]["source_path_hash"] = "<varies>"
    for column in ("message_created_at", "conversation_started_at"):
        if golden[column] == "<varies>":
            row[column] = "<varies>"
    return row


@pytest.mark.parametrize("corpus", ["claude-a", "claude-edge"])
def test_golden_transcripts_make_the_golden_rows(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = [json.loads(row) for row in (DATA / corpus / "rows.jsonl").read_text().splitlines()]
    printed = json.loads((DATA / corpus / "backfill.json").read_text())
    env = environ(tmp_path, DATA / corpus / "home")
    write_config(tmp_path, json.dumps(CONFIG))

    for attempt in ("first", "second"):
        assert backfill.main(["claude", SINCE, "--json"], env) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["providers"] == printed[attempt]["providers"]
        assert document["dry_run"] is False

    rows = {row["part_id"]: row for row in stored(env, capsys)}
    assert len(rows) == len(golden)
    for row in golden:
        assert without_varying(rows[row["part_id"]], row) == row


# --- the command line ---------------------------------------------------------------------------


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
        (["--nope\n"], "unknown option: --nope?"),
        (["-x"], "unknown option: -x"),
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
    """Import 1, 2, 4."""
    assert backfill.main(argv, environ(tmp_path)) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"hyp backfill: {reason}\n")


def test_help_is_the_usage_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Import 2."""
    assert backfill.main(["--help"], environ(tmp_path)) == 2
    assert capsys.readouterr().err.startswith("hyp backfill: usage: hyp backfill [provider...]")


def test_options() -> None:
    """Import 1, 3, 4."""
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
    """Import 5, 6."""
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
    """Import 11."""
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


# --- runs ---------------------------------------------------------------------------------------


def test_a_run_in_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Import 8."""
    write_transcript(tmp_path, line(1), line(2))
    write_config(tmp_path, json.dumps(CONFIG))
    env = environ(tmp_path, HYP_RUN_ID="run-1", DEV_RUN_ID="not-this")

    assert backfill.main([SINCE], env) == 0

    assert capsys.readouterr().out == (
        "backfill run_id=run-1\n"
        "  claude  [ok]\n"
        "    items_seen=1  sessions=1  rows_written=2  rows_skipped=0\n"
    )
    assert [row["part_id"] for row in stored(env, capsys)] == ["u1#0", "u2#0"]


def test_only_new_lines_of_a_grown_transcript_are_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Import 44."""
    env = environ(tmp_path)
    write_transcript(tmp_path, line(1))
    assert backfill.main(["claude", SINCE], env) == 0
    write_transcript(tmp_path, line(1), line(2))
    capsys.readouterr()

    assert backfill.main(["claude", "claude", SINCE, "--json"], env) == 0

    first, second = json.loads(capsys.readouterr().out)["providers"]
    assert (first["sessions_seen"], first["rows_written"], first["rows_skipped"]) == (1, 1, 0)
    assert (second["sessions_seen"], second["rows_written"], second["rows_skipped"]) == (0, 0, 1)


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Import 9."""
    write_transcript(tmp_path, line(1))

    assert backfill.main(["claude", SINCE, "--dry-run"], environ(tmp_path, DEV_RUN_ID="d")) == 0

    assert capsys.readouterr().out == (
        "backfill (dry-run) run_id=d\n"
        "  claude  [ok]\n"
        "    items_seen=1  sessions=1  rows_written=0  rows_skipped=0\n"
    )
    assert not (tmp_path / "hyp").exists()


@pytest.mark.parametrize(
    ("arguments", "default_days", "seen"),
    [
        ([], None, 0),
        ([], 36500, 1),
        (["--retention-days", "1"], 36500, 0),
        (["--retention-days", "0"], None, 1),
        (["--since", "2000-01-01"], 1, 1),
        (["--since", "2000-01-01", "--until", "2000-01-02"], None, 0),
    ],
)
def test_the_window_is_the_retention_unless_it_is_given(
    arguments: list[str],
    default_days: int | None,
    seen: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Import 7."""
    write_transcript(tmp_path, {**line(1), "timestamp": "2000-06-01T00:00:00Z"})
    retention = {"cache": {"retention": {"default_days": default_days}}}
    write_config(tmp_path, json.dumps({**CONFIG, **({"query": retention} if default_days else {})}))

    assert backfill.main(["claude", "--json", *arguments], environ(tmp_path)) == 0

    assert json.loads(capsys.readouterr().out)["providers"][0]["items_seen"] == seen


def test_a_broken_config_stops_only_a_run_that_needs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_transcript(tmp_path, line(1))
    write_config(tmp_path, "{oops")

    assert backfill.main([], environ(tmp_path)) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "hypaware-config.json" in captured.err

    assert backfill.main(["claude", SINCE, "--json"], environ(tmp_path)) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["providers"][0]["rows_written"] == 1
    assert "going on without it" in captured.err


class FakeProvider:
    """A provider of another package."""

    datasets: tuple[str, ...] = ("ai_gateway_messages",)
    summary = "Import something"

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.plugin = f"@x/{name}"
        self.sources = (Path("/one"), Path("/two"))
        self._error = error

    def scan(self, _context: ScanContext) -> FakeProvider:
        return self

    def exchanges(self, source: Path) -> Any:
        yield Exchange(
            provider="p",
            session_id=self.name,
            client_name=self.name,
            source_path=str(source),
            native_id=self.name,
            messages=[Message(role="user", content=str(source))],
        )
        if self._error is not None:
            raise self._error


def fake(name: str, error: Exception | None = None) -> Provider:
    return FakeProvider(name, error)


def test_a_provider_that_fails_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Import 10."""
    stranger = FakeProvider("stranger")
    stranger.datasets = ("other",)
    providers = (fake("bad", RuntimeError("boom\n  twice")), fake("good"), stranger)
    monkeypatch.setattr(backfill, "find_providers", lambda: providers)

    assert backfill.main(["bad", "good", "stranger", "--json"], environ(tmp_path)) == 1

    captured = capsys.readouterr()
    bad, good, other = json.loads(captured.out)["providers"]
    assert (bad["status"], bad["error"]) == ("failed", "RuntimeError: boom twice")
    assert (good["status"], good["rows_written"], "error" in good) == ("ok", 2, False)
    assert other["error"] == "dataset not registered: other"
    assert captured.err.splitlines() == [
        "hyp backfill: bad: RuntimeError: boom twice",
        "hyp backfill: stranger: dataset not registered: other",
    ]


def test_what_was_left_out_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_transcript(tmp_path, line(1))
    path.write_text(path.read_text() + "{torn")
    env = environ(tmp_path)

    assert backfill.main(["claude", SINCE], env) == 0

    assert capsys.readouterr().err == "hyp backfill: claude: left out unparseable lines: 1\n"


def test_a_run_of_the_daemon_logs_to_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_transcript(tmp_path, line(1))
    path.write_text(path.read_text() + "{torn")
    folder = tmp_path / "run"
    folder.mkdir()
    env = environ(tmp_path, HYP_RUN_ID="r7", HYP_RUN_DIR=str(folder))

    assert backfill.main(["claude", SINCE, "--json"], env) == 0

    captured = capsys.readouterr()
    assert json.loads(captured.out)["run_id"] == "r7"
    assert captured.err == ""
    events = [json.loads(item) for item in (folder / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == [
        "import_started",
        "batch_committed",
        "import_finished",
        "history_left_out",
        "history_read",
    ]
    assert all({"ts", "level", "pid", "mode", "run_id", "provider"} <= set(item) for item in events)
    assert (events[3]["path"], events[3]["unparseable_lines"]) == (str(path), 1)
    assert (folder / "log.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_run_folder_that_is_gone_does_not_fail_the_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_transcript(tmp_path, line(1))
    env = environ(tmp_path, HYP_RUN_DIR=str(tmp_path / "missing"))

    assert backfill.main(["claude", SINCE, "--json"], env) == 0
    assert json.loads(capsys.readouterr().out)["providers"][0]["rows_written"] == 1


def test_the_config_folder_of_the_client_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = environ(tmp_path, CLAUDE_CONFIG_DIR=str(DATA / "claude-edge" / "home" / ".claude"))

    assert backfill.main(["claude", SINCE, "--json"], env) == 0
    assert json.loads(capsys.readouterr().out)["providers"][0]["rows_written"] == 48


def test_a_home_without_transcripts_is_fine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Import 23."""
    assert backfill.main(["claude", "--json"], environ(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out)["providers"][0]["items_seen"] == 0
    assert not HypHome(tmp_path / "hyp").lake_dir.exists()


def test_a_signal_in_the_middle_of_a_commit_waits_for_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_transcript(tmp_path, line(1), line(2))
    env = environ(tmp_path)
    commit = MessageWriter.commit

    def interrupted_commit(writer: MessageWriter, rows: Any, *, files: int) -> Committed:
        signal.raise_signal(signal.SIGTERM)
        return commit(writer, rows, files=files)

    monkeypatch.setattr(MessageWriter, "commit", interrupted_commit)

    assert backfill.main(["claude", SINCE], env) == 143
    assert capsys.readouterr().out == ""
    assert len(stored(env, capsys)) == 2


@pytest.mark.process
def test_the_list_does_not_load_the_data_plane(tmp_path: Path) -> None:
    code = (
        "import os, sys; from hypactors.cli.backfill import main;"
        "code = main(['list'], os.environ);"
        "sys.exit(code or bool({'pyarrow', 'pyiceberg', 'duckdb'} & set(sys.modules)))"
    )
    subprocess.run(
        [sys.executable, "-c", code], env=environ(tmp_path), check=True, timeout=60,
        capture_output=True,
    )  # fmt: skip
