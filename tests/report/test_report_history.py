"""The history of imports is what markers and run folders say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from hypactors.paths import HypHome
from hypactors.processes import ProviderRuns, RunResult
from hypactors.report import read_history

if TYPE_CHECKING:
    from pathlib import Path

    from hypactors.processes import RunFolder

RESULT = {"exit_code": 0, "signal": None, "launch_error": None, "started_at": "x"}


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path)


def new_run(home: HypHome, provider: str, hour: int) -> tuple[ProviderRuns, RunFolder]:
    runs = ProviderRuns(home, provider)
    folder = runs.new_run(
        plugin=f"@x/{provider}", request_key=f"@x/{provider}", argv=["hyp"], since=None, attempt=1,
        reason="wanted", daemon_run_id="d", now=datetime(2026, 11, 1, hour, tzinfo=UTC),
        token="abcdef",
    )  # fmt: skip
    return runs, folder


def test_a_machine_without_any_has_no_history(home: HypHome) -> None:
    history = read_history(home)
    assert (history.marks, history.runs) == ([], [])
    assert list(home.root.iterdir()) == []


def test_runs_come_newest_first_with_how_they_ended(home: HypHome) -> None:
    runs, settled = new_run(home, "claude", 8)
    settled.write_result(
        RunResult(run_id=settled.run_id, ended_at="2026-11-01T08:05:00.000Z", **RESULT)  # type: ignore[arg-type]
    )
    runs.settle(settled, "done", datetime(2026, 11, 1, 9, tzinfo=UTC))
    new_run(home, "codex", 10)
    _, ended = new_run(home, "claude", 9)
    ended.write_result(RunResult(run_id=ended.run_id, ended_at="y", **RESULT))  # type: ignore[arg-type]

    found = read_history(home).runs

    assert [(each.provider, each.started_at[11:13], each.outcome) for each in found] == [
        ("codex", "10", "interrupted"),
        ("claude", "09", "ended"),
        ("claude", "08", "done"),
    ]
    assert found[2].ended_at == "2026-11-01T08:05:00.000Z"


def test_a_folder_that_is_no_run_is_passed_over(home: HypHome) -> None:
    _, folder = new_run(home, "claude", 8)
    (folder.path / "run.json").write_text("torn")
    (home.runs_dir / "stray").write_text("")
    assert read_history(home).runs == []


def test_markers_are_shown_with_what_they_know(home: HypHome) -> None:
    home.control_dir.mkdir(parents=True)
    markers = {
        "backfill": {
            "@x/a": {"status": "done", "at": "t", "rows": 5, "files": 2},
            "@x/b": {"status": "failed", "last_attempt": "u", "reason": "why"},
            "@x/c": {},
        },
        "attach": {"@x/d": {"status": "done"}},
    }
    home.marker_file.write_text(json.dumps(markers))

    marks = read_history(home).marks

    assert [(each.name, each.status, each.at, each.rows, each.reason) for each in marks] == [
        ("@x/a", "done", "t", 5, None),
        ("@x/b", "failed", "u", None, "why"),
        ("@x/c", "unknown", None, None, None),
    ]
