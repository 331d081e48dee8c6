"""A real central server on loopback, its administration, and machines that join it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

from hypactors.central.server import Store
from hypactors.cli.central import describe_gateway
from hypactors.lake import Lake
from hypactors.sql import query
from tests.e2e.machine import HYP, TRAP_S, Machine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLUGIN = "@hypaware/central"

QUICK_TRIALS = """
import sys
from hypactors.config import _judgement
_judgement.SHORTEST_WINDOW_S = 6.0
from hypactors.cli.main import main
sys.exit(main())
"""
"""The real program, but for the least time that a config is tried, which is two minutes."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Central:
    """``hyp central`` on a folder of its own. Use it as a context manager."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "central"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.environ = {**os.environ, "HYP_CENTRAL_DATA": str(self.data)}
        self.process: subprocess.Popen[str] | None = None
        root.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.stop()

    def start(self) -> None:
        with (self.root / "central.stderr").open("a") as stderr:
            self.process = subprocess.Popen(
                [*HYP, "central", "serve", "--port", str(self.port)],
                env=self.environ,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("hyp central: ready "), (line, self.stderr())

    def stop(self, number: int = signal.SIGTERM) -> int:
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(number)
        code = process.wait(TRAP_S)
        assert process.stdout is not None
        process.stdout.close()
        return code

    def kill(self) -> None:
        """Pull the plug; the kill landed."""
        assert self.stop(signal.SIGKILL) == -signal.SIGKILL

    def stderr(self) -> str:
        return (self.root / "central.stderr").read_text()

    def admin(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*HYP, "central", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=TRAP_S,
            check=False,
        )

    def put(self, document: bytes, name: str = "team") -> subprocess.CompletedProcess[str]:
        path = self.root / "config.json"
        path.write_bytes(document)
        return self.admin("config", "put", name, str(path))

    def token(self, config: str = "team") -> str:
        made = self.admin("token", "create", config)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def document(self, *plugins: Mapping[str, Any], url: str | None = None) -> bytes:
        config = {"url": url or self.url, "identity": {}, "poll_interval_seconds": 5}
        return json.dumps(
            {
                "version": 2,
                "plugins": [{"name": PLUGIN}, *plugins],
                "sinks": {"central": {"plugin": PLUGIN, "config": config}},
            }
        ).encode()

    def gateways(self) -> list[dict[str, Any]]:
        """Return what ``hyp central gateways --json`` prints, without its start of a second."""
        store = Store.in_folder(self.data)
        try:
            configs = store.configs()
            return [describe_gateway(gateway, configs) for gateway in store.gateways()]
        finally:
            store.close()

    def counts(self) -> tuple[int, int]:
        """Return how many rows the server keeps, and how many different ones."""
        sql = "select count(*), count(distinct part_id) from ai_gateway_messages"
        [(rows, distinct)] = query(Lake(self.data / "lake"), sql).rows
        return rows, distinct


class Member(Machine):
    """A machine that is to join."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        # A small import: the interpreter's start is most of it, twice at once on two cores.
        self.environ["HYP_IMPORT_NICE"] = "0"

    def join(  # type: ignore[override]
        self, url: str, token: str, *options: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*HYP, "join", url, "--no-daemon", *options],
            input=token,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=TRAP_S,
            check=False,
        )

    def start_daemon(self) -> subprocess.Popen[str]:
        """Start a daemon whose trials are quick; it is ready on return."""
        with (self.root / "daemon.stderr").open("a") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", QUICK_TRIALS, "daemon", "--actors"],
                env=self.environ,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("hyp daemon: ready "), (line, self.stderr())
        return process

    def reasons(self) -> list[str]:
        """Return why the daemon went over to another config, each time that it did."""
        return [event["hyp_reason"] for event in self.events("daemon.restart_completed")]


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    code = process.wait(TRAP_S * 2)
    assert process.stdout is not None
    process.stdout.close()
    return code
