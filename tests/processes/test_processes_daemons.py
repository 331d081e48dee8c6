from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hypactors.processes import is_daemon_command, is_live_daemon


@pytest.mark.parametrize(
    ("command", "is_daemon"),
    [
        ("/usr/bin/hyp daemon --actors", True),
        ("/usr/bin/python3 -m hypactors daemon run --foreground", True),
        ("/opt/venv/bin/python /opt/venv/bin/hyp daemon --actors", True),
        ("node /usr/lib/node_modules/hypaware/bin/cli.js daemon run", True),
        ("/usr/bin/hyp status", False),
        ("/usr/sbin/cupsd daemon", False),
        ("grep daemon /home/me/hyp", False),
        ("", False),
    ],
)
def test_daemon_is_known_by_its_command_line(*, command: str, is_daemon: bool) -> None:
    """Contract §5.7: pids are reused, so look at argv."""
    assert is_daemon_command(command.split()) is is_daemon


@pytest.mark.process
def test_only_a_live_daemon_is_one() -> None:
    """Contract §5.7."""
    code = "print(flush=True); input()"
    daemon = [sys.executable, "-c", code, "/usr/bin/hyp", "daemon", "--actors"]
    with subprocess.Popen(daemon, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert is_live_daemon(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_live_daemon(child.pid)
    assert not is_live_daemon(child.pid)


def test_pid_file_of_an_earlier_daemon_that_had_our_pid_names_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Contract §5.7: in a container the same pid comes back after every restart."""
    monkeypatch.setattr("hypactors.processes._daemons.is_daemon_command", lambda _: True)
    assert not is_live_daemon(os.getpid())
    assert is_live_daemon(os.getppid())
