"""What a marker stands for, and how far an import is, with the real program."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.clock import iso_ms
from hypactors.lake import Lake, cache_id
from tests.e2e.machine import CLAUDE, TRAP_S, eventually, session_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process

COUNT = "select count(*) as n from ai_gateway_messages"


def write_session(machine: Machine, name: str, *, days_ago: int, count: int = 4) -> Path:
    day = (datetime.now(UTC) - timedelta(days=days_ago)).strftime("%Y-%m-%d")
    folder = machine.projects / "-work-project"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(session_lines(count, session=name, at=day)) + "\n")
    return path


def policy(days: int) -> dict[str, Any]:
    return {"name": CLAUDE, "config": {"backfill": {"window_days": days}}}


def rows(machine: Machine) -> int:
    return int(machine.query(COUNT)[0]["n"])


def imports(machine: Machine) -> int:
    return len(machine.events("client_action.backfill_spawn"))


def edit_marker(machine: Machine, **fields: object) -> None:
    markers = machine.markers()
    markers["backfill"][CLAUDE] |= fields
    machine.home.marker_file.write_text(json.dumps(markers))


# --- what done stands for -----------------------------------------------------------------------


def test_a_cache_that_was_deleted_is_filled_again(machine: Machine) -> None:
    write_session(machine, "s1", days_ago=1)
    machine.join(policy(30))
    assert machine.run_once().returncode == 0
    first = machine.marker()
    assert first["cache_id"] == cache_id(Lake.of(machine.home))
    assert machine.run_once().returncode == 0
    assert imports(machine) == 1

    shutil.rmtree(machine.home.lake_dir)
    assert machine.run_once().returncode == 0
    assert imports(machine) == 2
    assert rows(machine) == 4
    second = machine.marker()
    assert (second["status"], second["cache_id"]) == ("done", cache_id(Lake.of(machine.home)))
    assert second["cache_id"] != first["cache_id"]


def test_a_machine_without_history_looks_again_when_there_is_some(machine: Machine) -> None:
    """It must not be done for ever, nor import nothing over and over."""
    shutil.rmtree(machine.user_home / ".claude")
    machine.join(policy(30))
    assert machine.run_once().returncode == 0
    assert (machine.marker()["status"], machine.marker()["files"]) == ("done", 0)
    long_ago = iso_ms(datetime.now(UTC) - timedelta(hours=2))
    edit_marker(machine, at=long_ago)
    assert machine.run_once().returncode == 0
    assert imports(machine) == 1, "there is still nothing"

    write_session(machine, "s1", days_ago=1)
    assert machine.run_once().returncode == 0
    assert imports(machine) == 2
    assert (machine.marker()["rows"], machine.marker()["files"]) == (4, 1)
    edit_marker(machine, at=long_ago)
    assert machine.run_once().returncode == 0
    assert imports(machine) == 2


def test_a_window_that_grew_is_said_and_its_slice_imported_when_somebody_asks(
    machine: Machine,
) -> None:
    write_session(machine, "new", days_ago=2)
    write_session(machine, "old", days_ago=60)
    write_session(machine, "ancient", days_ago=200)
    machine.join(policy(30))
    assert machine.run_once().returncode == 0
    assert rows(machine) == 4
    before = machine.marker()["covered"]

    machine.join(policy(90))
    with machine.daemon() as daemon:
        eventually(lambda: machine.status()["client_actions"][0].get("covered_days"))
        said = machine.hyp("status").stdout
        assert "[done]  (30 d; policy now 90 d, 4 rows" in said
        assert imports(machine) == 1, "run-once stays run-once"

        assert machine.hyp("actions", "retry", "claude").stdout == f"trying {CLAUDE} now\n"
        eventually(lambda: machine.marker()["covered"] != before)
        assert "policy now" not in machine.hyp("status").stdout
        daemon.signal(15)
        assert daemon.wait() == 0
    assert rows(machine) == 8
    records = machine.home.provider_runs("claude").glob("*Z-*/run.json")
    argvs = [json.loads(path.read_bytes())["argv"] for path in records]
    assert len(argvs) == 2
    [argv] = [argv for argv in argvs if "--until" in argv]
    assert argv[argv.index("--until") + 1] == before["since"]
    covered = machine.marker()["covered"]
    assert covered["until"] == before["until"]
    assert covered["since"] < before["since"]


# --- how far it is ------------------------------------------------------------------------------

# Every commit but the first waits until it may go on.
STOPS_AFTER_ONE_COMMIT = """
import os, sys, time
from hypactors.importing import _engine, _frames, _progress
_engine.COMMIT_ROWS = _frames.FRAME_ROWS = 40
_progress.LEAST_INTERVAL_S = 0
commit = _engine.Engine._commit
def stopped(self, *arguments):
    while self.imported.rows_written and not os.path.exists({release!r}):
        time.sleep(0.01)
    return commit(self, *arguments)
_engine.Engine._commit = stopped
from hypactors.cli.main import main
sys.exit(main())
"""


def test_the_status_shows_how_far_the_import_of_the_daemon_is(machine: Machine) -> None:
    for number in range(4):
        write_session(machine, f"s{number}", days_ago=1, count=40)
    release = machine.root / "release"
    machine.import_with(STOPS_AFTER_ONE_COMMIT.format(release=str(release)))
    machine.join(policy(30))
    with machine.daemon() as daemon:

        def progress() -> dict[str, Any]:
            row: dict[str, Any] = machine.status()["client_actions"][0]
            return row.get("progress") or {}

        eventually(lambda: progress().get("rows_written"))
        shown = progress()
        assert (shown["phase"], shown["files_total"], shown["rows_written"]) == ("reading", 4, 40)
        assert 0 < shown["files_done"] < 4
        assert 0 < shown["bytes_done"] < shown["bytes_total"]
        said = machine.hyp("status").stdout
        assert re.search(r"\d+ %, [1-3] of 4 files, 40 rows", said), said
        release.touch()
        eventually(lambda: machine.marker().get("status") == "done")
        daemon.signal(15)
        assert daemon.wait() == 0
    assert rows(machine) == 160


def on_a_terminal(machine: Machine, *command: str) -> tuple[int, str, str]:
    """Run a command with its stderr on a terminal; return its code, stdout and what was drawn."""
    ours, theirs = pty.openpty()
    drawn = b""
    with subprocess.Popen(
        command,
        env={**machine.environ, "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        ends_at = time.monotonic() + TRAP_S
        try:
            while select.select([ours], [], [], max(0, ends_at - time.monotonic()))[0]:
                drawn += os.read(ours, 65536)
        except OSError:  # the other end is closed
            pass
        finally:
            os.close(ours)
        assert process.stdout is not None
        stdout = process.stdout.read().decode()
    return process.returncode, stdout, drawn.decode()


def test_a_person_sees_a_bar_and_it_is_gone_at_the_end(machine: Machine) -> None:
    for number in range(3):
        write_session(machine, f"s{number}", days_ago=1, count=50)
    release = machine.root / "release"
    release.touch()
    script = machine.root / "import_command.py"
    script.write_text(STOPS_AFTER_ONE_COMMIT.format(release=str(release)))
    code, stdout, drawn = on_a_terminal(machine, sys.executable, str(script), "backfill", "claude")
    assert code == 0
    assert "rows_written=150" in stdout
    assert "\x1b" not in stdout, "the bar is for eyes alone"
    assert re.search(r"3 of 3 files, 0 of 0 MB, 150 rows", drawn), drawn
    assert drawn.rstrip().endswith("\x1b[2K"), "the line is wiped"


def test_whoever_is_no_terminal_gets_no_bar(machine: Machine) -> None:
    write_session(machine, "s", days_ago=1)
    done = machine.hyp("backfill", "claude")
    assert (done.returncode, done.stderr) == (0, "")
