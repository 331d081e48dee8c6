"""A machine for the soak: its daemon, its four providers, and what can be seen from outside."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

from hypactors.processes import ProviderRuns, is_free
from hypactors.processes._identity import is_running
from tests.e2e.machine import Machine
from tests.processes.lab import eventually

if TYPE_CHECKING:
    from hypactors.processes import RunFolder

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPTED = ("alpha", "beta", "gamma")
PLUGINS = {"claude": "@hypaware/claude", **{name: f"@soak/{name}" for name in SCRIPTED}}
CONCURRENCY = 2

PROVIDERS = """
class Provider:
    datasets = ("ai_gateway_messages",)
    summary = "Plays a part"
    def __init__(self, name):
        self.name, self.plugin = name, "@soak/" + name
    def scan(self, context):
        raise NotImplementedError
ALPHA, BETA, GAMMA = map(Provider, ("alpha", "beta", "gamma"))
"""


class LiveRun(NamedTuple):
    provider: str
    folder: RunFolder
    launcher: int
    importer: int | None


class World:
    def __init__(self, root: Path, seed: int) -> None:
        self.machine = Machine(root)
        self.home = self.machine.home
        self.pipe = root / "pipe"
        os.mkfifo(self.pipe)
        self._install_providers(root / "site")
        self.machine.environ |= {
            "PYTHONPATH": os.pathsep.join((str(root / "site"), str(ROOT))),
            "SOAK_SEED": str(seed),
            "SOAK_PIPE": str(self.pipe),
            "HYP_BACKFILL_COMMAND": shlex.join([sys.executable, str(HERE / "import_command.py")]),
            "HYP_IMPORT_CONCURRENCY": str(CONCURRENCY),
            "HYP_IMPORT_NO_PROGRESS_S": "3",
            "HYP_GRACE_S": "1",
            "HYP_SETTLE_S": "2",
            "HYP_RETRY_MIN_S": "0.2",
            "HYP_RETRY_MAX_S": "1",
            "HYP_RESYNC_S": "1",
        }
        plugins = [{"name": name} for name in PLUGINS.values()]
        self.machine.join(*plugins)
        first = json.dumps({"version": 2, "plugins": plugins})
        (self.home.root / "first-config.json").write_text(first)
        self._transcripts = 0
        self.add_transcripts()
        self.daemon: subprocess.Popen[str] | None = None
        self._stderr = root / "daemon.stderr"

    def _install_providers(self, site: Path) -> None:
        info = site / "soak_providers-1.0.dist-info"
        info.mkdir(parents=True)
        (site / "soak_providers.py").write_text(PROVIDERS)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: soak-providers\nVersion: 1.0\n"
        )
        points = "".join(f"{name} = soak_providers:{name.upper()}\n" for name in SCRIPTED)
        (info / "entry_points.txt").write_text(f"[hypactors.providers]\n{points}")

    def add_transcripts(self) -> None:
        """Let Claude Code have written some more."""
        self._transcripts += 1
        lines = []
        session = f"soak-{self._transcripts}"
        for index in range(3000):
            role = "assistant" if index % 2 else "user"
            second = f"{index // 3600:02d}:{index // 60 % 60:02d}:{index % 60:02d}"
            lines.append(
                json.dumps(
                    {
                        "type": role,
                        "sessionId": session,
                        "uuid": f"{session}-{index}",
                        "timestamp": f"2026-11-01T{second}.000Z",
                        "message": {"role": role, "content": f"message {index} of {session}"},
                    }
                )
            )
        folder = self.machine.projects / "-soak"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{session}.jsonl").write_text("".join(f"{line}\n" for line in lines))

    # Its daemon

    def start(self) -> None:
        with self._stderr.open("a") as stderr:
            self.daemon = subprocess.Popen(
                [sys.executable, "-P", str(HERE / "chaos_daemon.py")],
                env=self.machine.environ,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.daemon.stdout is not None
        line = self.daemon.stdout.readline()
        assert line.startswith("hyp daemon: ready"), (line, self._stderr.read_text()[-2000:])

    def kill_daemon(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()
        self._close()

    def stop(self) -> int:
        """Stop it in order; imports are cut short."""
        assert self.daemon is not None
        answer = self.machine.hyp("daemon", "stop", "--now")
        assert answer.returncode == 0, answer.stderr
        code = self.daemon.wait(60)
        self._close()
        return code

    def _close(self) -> None:
        assert self.daemon is not None
        assert self.daemon.stdout is not None
        self.daemon.stdout.close()
        self.daemon = None

    def hurt(self, command: str) -> None:
        """Send a line to the chaos thread; it is lost when nobody listens."""
        try:
            descriptor = os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return
        os.write(descriptor, f"{command}\n".encode())
        os.close(descriptor)

    # What can be seen

    def live_runs(self) -> list[LiveRun]:
        found = []
        for provider in PLUGINS:
            for folder in ProviderRuns(self.home, provider).runs():
                pids = folder.pids()
                if pids is None:
                    continue
                importer = pids.import_
                is_alive = importer is not None and is_running(importer, pids.boot_id)
                if is_alive or is_running(pids.launcher, pids.boot_id):
                    pid = importer.pid if importer is not None and is_alive else None
                    found.append(LiveRun(provider, folder, pids.launcher.pid, pid))
        return found

    def statuses(self) -> dict[str, str]:
        bucket = self.machine.markers().get("backfill", {})
        return {key: marker.get("status") for key, marker in bucket.items()}

    def marker_of(self, provider: str) -> dict[str, Any]:
        found: dict[str, Any] = (
            self.machine.markers().get("backfill", {}).get(PLUGINS[provider], {})
        )
        return found

    def leftovers(self) -> list[str]:
        """Return what a daemon that has stopped must not leave."""
        left = [f"lock of {p} is held" for p in PLUGINS if not is_free(self.home.import_lock(p))]
        left += [f"file {path.name}" for path in self.home.root.rglob("*.tmp")]
        if self.home.control_socket.exists():
            left.append("control socket")
        marks = (str(self.home.root), str(self.machine.root))
        for process in psutil.process_iter():
            try:
                words = [*process.cmdline(), *process.environ().values()]
            except psutil.Error:
                continue
            if process.pid != os.getpid() and any(mark in word for word in words for mark in marks):
                left.append(f"process {process.pid} {process.cmdline()[:4]} {process.status()}")
        return left

    def parts(self) -> dict[str, str]:
        folder = self.home.root / "parts"
        return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}

    def import_anew(self, home: str) -> None:
        """Import all transcripts into another home, undisturbed, however long that takes."""
        subprocess.run(
            [
                *(sys.executable, "-P", "-m", "hypactors"),
                *("backfill", "claude", "--retention-days", "3650"),
            ],
            env={**self.machine.environ, "HYP_HOME": home},
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def rows(self, **environ: str) -> tuple[int, set[str]]:
        sql = "select part_id from ai_gateway_messages"
        found = self.machine.hyp("query", "sql", sql, "--json", **environ)
        assert found.returncode == 0, found.stderr
        rows: list[dict[str, Any]] = json.loads(found.stdout)
        return len(rows), {row["part_id"] for row in rows}


__all__ = ["CONCURRENCY", "PLUGINS", "LiveRun", "World", "eventually"]
