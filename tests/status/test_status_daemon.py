from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.status import render_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.status.conftest import Machine


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that lives for the test and whose command line reads like a daemon's."""
    script = "import sys; print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, "/usr/bin/hyp", "daemon", "--actors"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process
        process.kill()


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def daemon_of(machine: Machine) -> dict[str, Any]:
    row: dict[str, Any] = machine.report()["daemon"]
    return row


@pytest.mark.process
def test_a_daemon_that_does_not_answer_is_found_by_its_files(
    machine: Machine, process: subprocess.Popen[bytes]
) -> None:
    home = machine.home
    identity = {"pid": process.pid, "runId": "r9", "mode": "foreground"}
    write(home.pid_file, {**identity, "startedAt": "2026-06-25T08:00:00.000Z"})
    write(home.status_file, {**identity, "state": "degraded"})
    row = daemon_of(machine)
    assert row["running"] is True
    assert (row["state"], row["pid"], row["mode"]) == ("degraded", process.pid, "foreground")
    assert (row["run_id"], row["started_at"]) == ("r9", "2026-06-25T08:00:00.000Z")

    # The snapshot of an earlier daemon says nothing about this one.
    write(home.status_file, {"pid": 1, "state": "stopped"})
    assert daemon_of(machine)["state"] == "unknown"


def test_a_reused_pid_is_no_daemon(machine: Machine) -> None:
    write(machine.home.pid_file, {"pid": os.getpid(), "runId": "r9", "mode": "foreground"})
    row = daemon_of(machine)
    assert row["running"] is False
    assert row["pid"] is None


def test_a_stopped_daemon_leaves_its_last_state(machine: Machine) -> None:
    machine.configure()
    write(machine.home.status_file, {"state": "stopped", "runId": "r9", "mode": "foreground"})
    report = machine.report()
    row = report["daemon"]
    assert (row["running"], row["state"], row["run_id"]) == (False, "stopped", "r9")
    assert report["overall"] == "healthy"
    text = render_text(report)
    assert f"last state=stopped (read from files as of {report['as_of']})" in text


@pytest.mark.parametrize("content", ["{", "[]", "\x1b[31m"])
@pytest.mark.parametrize("name", ["pid_file", "status_file"])
def test_a_file_that_is_no_json_is_the_daemons_error(
    machine: Machine, name: str, content: str
) -> None:
    # status 28, 29.
    path: Path = getattr(machine.home, name)
    write(path, content)
    report = machine.report()
    assert str(path) in report["daemon"]["error"]
    assert report["daemon"]["state"] == "unknown"
    assert str(path) in render_text(report)


@pytest.mark.parametrize("pid", ["\x1b[31m12", True, None, -1, 10**30, 1.5])
def test_a_pid_that_is_none_is_no_daemon(machine: Machine, pid: object) -> None:
    # status 29.
    write(machine.home.pid_file, {"pid": pid})
    assert daemon_of(machine)["running"] is False
