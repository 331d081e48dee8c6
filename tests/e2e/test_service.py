"""The daemon under a service manager: what it tells, and what it does not hand on."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import TRAP_S, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process

SHOWS_ITS_ENVIRONMENT = """
import json, os
with open(os.path.join(os.environ["HYP_HOME"], "environ"), "w") as file:
    json.dump(dict(os.environ), file)
print('{"providers": [{"status": "ok", "rows_written": 1}]}')
"""


def test_the_manager_hears_of_every_step(machine: Machine, tmp_path: Path) -> None:
    machine.join()
    machine.import_with(SHOWS_ITS_ENVIRONMENT)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(TRAP_S)
        machine.environ |= {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "400000",
        }
        heard: list[str] = []

        def hear(what: str) -> None:
            while not heard or not heard[-1].startswith(what):
                heard.append(manager.recv(4096).decode())

        with machine.daemon() as daemon:
            hear("READY=1")
            hear("WATCHDOG=1")
            hear("WATCHDOG=1")
            eventually(lambda: machine.marker().get("status") == "done")
            daemon.signal(signal.SIGHUP)
            hear("RELOADING=1")
            hear("READY=1")
            daemon.signal(signal.SIGTERM)
            hear("STOPPING=1")
            assert daemon.wait() == 0
    assert any(line.startswith("STATUS=") for line in heard)
    environ = (machine.home.root / "environ").read_text()
    assert "NOTIFY_SOCKET" not in environ
    assert "WATCHDOG_USEC" not in environ


def silent_after(manager: socket.socket) -> int:
    """Return how many messages came before there was none for a whole time-out."""
    for count in range(100):
        try:
            manager.recv(4096)
        except TimeoutError:
            return count
    return 100


def test_a_daemon_that_stands_still_says_nothing(machine: Machine, tmp_path: Path) -> None:
    """That silence is what the watchdog of the manager waits for."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(TRAP_S)
        machine.environ |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        with machine.daemon() as daemon:
            while manager.recv(4096) != b"WATCHDOG=1":
                pass
            daemon.signal(signal.SIGSTOP)
            manager.settimeout(1.0)
            assert silent_after(manager) < 5, "what was on its way, and then nothing"
            daemon.signal(signal.SIGCONT)
            manager.settimeout(TRAP_S)
            while manager.recv(4096) != b"WATCHDOG=1":
                pass
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
