"""What systemd is told, over a real datagram socket."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from hypactors.service import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "path":
        return str(tmp_path / "notify")
    return f"@hypactors-test-{os.getpid()}"


@pytest.fixture
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0", 1))
        listener.settimeout(5)
        yield listener


def heard(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_the_life_of_a_daemon_is_told(manager: socket.socket, address: str) -> None:
    notifier = Notifier.from_environ({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"})
    assert notifier.watchdog_s == 30
    notifier.ready()
    notifier.status("importing\nclaude")
    notifier.status("importing\nclaude")
    notifier.alive()
    notifier.reloading()
    notifier.stopping()
    assert heard(manager) == "READY=1"
    assert heard(manager) == "STATUS=importing claude"
    assert heard(manager) == "WATCHDOG=1"
    reloading, monotonic = heard(manager).split("\n")
    assert reloading == "RELOADING=1"
    assert monotonic.removeprefix("MONOTONIC_USEC=").isdigit()
    assert heard(manager) == "STOPPING=1"


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
    ],
)
def test_the_watchdog_is_ours_or_nobodys(environ: dict[str, str], watchdog_s: float | None) -> None:
    notifier = Notifier.from_environ({"NOTIFY_SOCKET": "/run/notify", **environ})
    assert notifier.watchdog_s == watchdog_s


@pytest.mark.parametrize("address", ["", "@", "relative", "tcp://x", "/no/such/socket"])
def test_nobody_to_tell_is_no_trouble(address: str) -> None:
    notifier = Notifier.from_environ({"NOTIFY_SOCKET": address})
    notifier.ready()
    notifier.status("x")
