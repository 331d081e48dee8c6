"""``hyp backfill`` as a person or the daemon runs it (import §10)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cache import Committed, MessageWriter
from hypactors.cli import backfill
from hypactors.paths import HypHome
from tests.cli.sample import (
    CONFIG,
    DATA,
    SINCE,
    FakeProvider,
    environ,
    fake,
    line,
    stored,
    write_config,
    write_transcript,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_in_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """import 8: appended and at once to be queried; there is no spool to be flushed."""
    write_transcript(tmp_path, line(1), line(2))
    write_config(tmp_path, json.dumps(CONFIG))
    env = environ(tmp_path, HYP_RUN_ID="run-1", DEV_RUN_ID="not-this")

    assert backfill.main([SINCE], env) == 0

    assert capsys.readouterr().out == (
        "backfill run_id=run-1\n"
        "  claude  [ok]\n"
        "    items_seen=1  sessions=1  rows_written=2  rows_skipped=0\n"
        "  codex  [ok]\n"
        "    items_seen=0  sessions=0  rows_written=0  rows_skipped=0\n"
    )
    assert [row["part_id"] for row in stored(env, capsys)] == ["u1#0", "u2#0"]


def test_only_new_lines_of_a_grown_transcript_are_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """import 44."""
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
    """import 9."""
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
    """import 7."""
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


def test_a_provider_that_fails_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """import 10: here one part expands all items, so that only the dataset can be unknown."""
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
    """import 23."""
    assert backfill.main(["claude", "--json"], environ(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out)["providers"][0]["items_seen"] == 0
    assert not HypHome(tmp_path / "hyp").lake_dir.exists()


def test_a_signal_in_the_middle_of_a_commit_waits_for_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_transcript(tmp_path, line(1), line(2))
    env = environ(tmp_path)
    commit = MessageWriter.commit_columns

    def interrupted_commit(
        writer: MessageWriter, columns: Any, digests: Any, *, files: int
    ) -> Committed:
        signal.raise_signal(signal.SIGTERM)
        return commit(writer, columns, digests, files=files)

    monkeypatch.setattr(MessageWriter, "commit_columns", interrupted_commit)

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
