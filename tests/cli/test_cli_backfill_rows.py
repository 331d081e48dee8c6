"""Which sessions and rows an import takes, as its user sees it (import §8, §10, §11)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cli import backfill
from hypactors.importing import _engine, _frames
from hypactors.paths import HypHome
from tests.cli.sample import SINCE, environ, line, stored, write_transcript

if TYPE_CHECKING:
    from pathlib import Path


def imported(
    env: dict[str, str], capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0
) -> dict[str, Any]:
    """Import claude's history, and return what is printed of it."""
    assert backfill.main(["claude", SINCE, "--json", *arguments], env) == code
    [result] = json.loads(capsys.readouterr().out)["providers"]
    assert isinstance(result, dict)
    return result


def events_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("word", "items"), [("ignore", 1), ("local-only", 2), ("full", 2)])
def test_a_session_in_an_ignored_folder_is_no_item(
    word: str, items: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """import 27: one that stays on this machine is imported, and only not sent."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / ".hypignore").write_text(word)
    cwd = str(tmp_path / "secret" / "deep")
    write_transcript(
        tmp_path, {**line(1), "cwd": cwd, "sessionId": "hidden"}, {**line(2), "cwd": "/open"}
    )
    run = tmp_path / "run"
    run.mkdir()
    env = environ(tmp_path, HYP_RUN_DIR=str(run))

    assert imported(env, capsys, "--dry-run")["items_seen"] == items
    result = imported(env, capsys)

    assert (result["items_seen"], result["rows_written"], result["rows_skipped"]) == (
        items,
        items,
        0,
    )
    told = [each["session_id"] for each in events_in(run) if each["event"] == "session_ignored"]
    assert told == (["hidden"] if word == "ignore" else [])
    assert ("hidden" in {row["session_id"] for row in stored(env, capsys)}) is (word != "ignore")


@pytest.mark.parametrize("cwd", ["~nobody-here/src", "/" + "x" * 300, "/a\x00b", "relative", "  "])
def test_any_folder_that_a_transcript_names_is_no_obstacle(
    cwd: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """import §11: what cannot be looked at has no file that says to ignore it."""
    write_transcript(tmp_path, {**line(1), "cwd": cwd})

    assert imported(environ(tmp_path), capsys)["rows_written"] == 1


def test_history_that_cannot_be_read_is_logged_and_is_no_item(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """import 35: also where there is no rollout at all."""
    elsewhere = tmp_path / ".config" / "ChatGPT"
    elsewhere.mkdir(parents=True)
    run = tmp_path / "run"
    run.mkdir()
    env = environ(tmp_path, HYP_RUN_DIR=str(run))

    assert backfill.main(["codex", "--json"], env) == 0

    [result] = json.loads(capsys.readouterr().out)["providers"]
    assert result["items_seen"] == 0
    [event] = [each for each in events_in(run) if each["event"] == "unsupported_location"]
    assert (event["client_name"], event["location_kind"]) == ("codex", "chatgpt_desktop_app")
    assert (event["path"], event["provider"]) == (str(elsewhere), "codex")


def test_rows_of_an_earlier_batch_of_the_run_count_as_present(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """import 45: what the other client has in its spool, we have committed."""
    monkeypatch.setattr(_engine, "COMMIT_ROWS", 1)
    monkeypatch.setattr(_frames, "FRAME_ROWS", 1)
    path = write_transcript(tmp_path, line(1), line(2))
    resumed = [{**line(number), "sessionId": "resumed"} for number in (1, 2, 3)]
    path.with_name("t.jsonl").write_text("".join(json.dumps(each) + "\n" for each in resumed))
    env = environ(tmp_path)

    result = imported(env, capsys)

    assert (result["items_seen"], result["sessions_seen"], result["rows_written"]) == (2, 2, 3)
    assert {row["part_id"]: row["session_id"] for row in stored(env, capsys)} == {
        "u1#0": "s",
        "u2#0": "s",
        "u3#0": "resumed",
    }


def test_a_file_of_the_table_that_cannot_be_read_costs_no_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """import 45: nothing is taken for present or for new unseen; the import fails and says why.

    When the file is whole again the next import adds what is missing, once.
    """
    env = environ(tmp_path)
    write_transcript(tmp_path, line(1))
    imported(env, capsys)
    write_transcript(tmp_path, line(1), line(2))
    [stored_file] = HypHome(tmp_path / "hyp").lake_dir.rglob("*.parquet")
    whole = stored_file.read_bytes()
    stored_file.write_bytes(b"damaged")

    failed = imported(env, capsys, code=1)

    assert (failed["status"], failed["rows_written"]) == ("failed", 0)
    assert failed["error"]
    assert "\n" not in failed["error"]
    stored_file.write_bytes(whole)
    assert imported(env, capsys)["rows_written"] == 1
    assert [row["part_id"] for row in stored(env, capsys)] == ["u1#0", "u2#0"]
