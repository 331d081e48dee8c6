"""What a daemon keeps under ``run/``, and whom it yields to."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from hypactors.actors._home_files import DaemonState, HomeFiles, own_home
from hypactors.clock import ManualClock
from hypactors.errors import HomeBusyError
from tests.processes.lab import eventually

if TYPE_CHECKING:
    from hypactors.paths import HypHome

PATIENT = "import sys; sys.stdin.read()"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def files(home: HypHome, clock: ManualClock) -> HomeFiles:
    home.run_dir.mkdir(parents=True)
    return HomeFiles(
        home,
        clock=clock,
        pid=4711,
        run_id="daemon-4711-1",
        mode="foreground",
        config_path=Path("/home/ü/hypaware-config.json"),
    )


def snapshot(home: HypHome) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(home.status_file.read_text())
    return content


def test_a_life_as_the_snapshot_tells_it(
    home: HypHome, clock: ManualClock, files: HomeFiles
) -> None:
    """Every field of the other client's file, from starting to stopped (status §9, status 33)."""
    same = {
        "pid": 4711,
        "runId": "daemon-4711-1",
        "mode": "foreground",
        "startedAt": "2026-06-25T00:00:00.000Z",
        "configPath": "/home/ü/hypaware-config.json",
        "sources": [],
        "sinks": [],
    }
    clock.advance(1)
    files.write_state(DaemonState.STARTING)
    assert snapshot(home) == {**same, "state": "starting", "uptimeMs": 0}
    clock.advance(1)
    files.write_state(DaemonState.HEALTHY)
    up = {**same, "healthyAt": "2026-06-25T00:00:02.000Z"}
    assert snapshot(home) == {**up, "state": "healthy", "uptimeMs": 0}
    clock.advance(3.5)
    files.write_state(DaemonState.DEGRADED, ["a layer is broken"])
    assert snapshot(home) == {
        **up,
        "state": "degraded",
        "uptimeMs": 3500,
        "warnings": ["a layer is broken"],
    }
    files.write_state(DaemonState.STOPPING)
    clock.advance(1)
    files.write_state(DaemonState.STOPPED)
    assert snapshot(home) == {
        **up,
        "state": "stopped",
        "stoppedAt": "2026-06-25T00:00:06.500Z",
        "uptimeMs": 4500,
    }


def test_uptime_does_not_go_below_zero_when_the_clock_is_set_back(
    home: HypHome, clock: ManualClock, files: HomeFiles
) -> None:
    files.write_state(DaemonState.HEALTHY)
    clock.advance(-60)
    files.write_state(DaemonState.HEALTHY)
    assert snapshot(home)["uptimeMs"] == 0


def test_the_pid_file_is_there_while_the_daemon_is(home: HypHome, files: HomeFiles) -> None:
    files.write_pid()
    assert json.loads(home.pid_file.read_text()) == {
        "pid": 4711,
        "startedAt": "2026-06-25T00:00:00.000Z",
        "runId": "daemon-4711-1",
        "mode": "foreground",
    }
    assert stat.S_IMODE(home.pid_file.stat().st_mode) == 0o600
    files.remove_pid()
    files.remove_pid()
    assert not home.pid_file.exists()


def test_one_daemon_a_home(home: HypHome) -> None:
    """Contract §5.7: the lock decides, and it is free when its holder is gone."""
    with own_home(home):
        home.pid_file.write_text('{"pid": 4711}')
        with pytest.raises(HomeBusyError, match=r"another daemon \(pid 4711\).*hyp daemon stop"):
            own_home(home)
        home.pid_file.write_text("garbage")
        with pytest.raises(HomeBusyError, match=r"^another daemon runs on .*hyp home ü;"):
            own_home(home)
    own_home(home).close()
    assert stat.S_IMODE(home.run_dir.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content", ["garbage", "[]", "{}", '{"pid": true}', '{"pid": -1}', '{"pid": 1e400}', '"4711"']
)
def test_a_pid_file_that_names_nobody_is_in_nobodys_way(home: HypHome, content: str) -> None:
    home.run_dir.mkdir(parents=True)
    home.pid_file.write_text(content)
    own_home(home).close()


def test_a_pid_that_was_taken_over_by_somebody_else_is_in_nobodys_way(home: HypHome) -> None:
    """Contract §5.7: pids are reused, and the pid file outlives a killed daemon."""
    home.run_dir.mkdir(parents=True)
    for pid in (os.getppid(), os.getpid()):
        home.pid_file.write_text(json.dumps({"pid": pid}))
        own_home(home).close()


@pytest.mark.process
def test_a_live_daemon_of_the_other_client_is_yielded_to(home: HypHome) -> None:
    """Contract §5.7: it holds no lock of ours, but its command line tells."""
    home.run_dir.mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", PATIENT, "/opt/hyp", "daemon", "run"], stdin=subprocess.PIPE
    ) as other:
        home.pid_file.write_text(json.dumps({"pid": other.pid}))
        # For an instant after the start of a program the system shows no command line of it.
        eventually(lambda: "daemon" in psutil.Process(other.pid).cmdline())
        with pytest.raises(HomeBusyError, match=rf"other client \(pid {other.pid}, from .*stop it"):
            own_home(home)
        with pytest.raises(HomeBusyError, match="other client"):
            own_home(home)  # refused the same way again: the lock was given back
    own_home(home).close()
