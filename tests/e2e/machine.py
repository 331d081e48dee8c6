"""A throwaway machine: its own ``HYP_HOME`` and home, and the real ``hyp`` to run on it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.paths import HypHome
from tests.processes.lab import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TRAP_S = 20.0
"""The time trap on every wait: generous, as interpreters start slowly on a busy machine."""

__all__ = [
    "CLAUDE",
    "TRAP_S",
    "Machine",
    "RunningDaemon",
    "eventually",
    "session_lines",
]

HYP = (sys.executable, "-P", "-m", "hypactors")
CLAUDE = "@hypaware/claude"
MAKE_TRANSCRIPTS = Path(__file__).parents[2] / "scripts" / "make_transcripts"


@dataclass
class RunningDaemon:
    process: subprocess.Popen[str]
    ready_line: str

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(TRAP_S)


class Machine:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = HypHome(root / "hyp home ü")
        self.user_home = root / "home"
        self.projects = self.user_home / ".claude" / "projects"
        self.projects.mkdir(parents=True)
        self.environ: dict[str, str] = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HYP_")},
            "HYP_HOME": str(self.home.root),
            "HOME": str(self.user_home),
            "HYP_SETTLE_S": "30",
            "HYP_RETRY_MIN_S": "0.1",
            "HYP_RETRY_MAX_S": "0.1",
        }
        for elsewhere in ("CLAUDE_CONFIG_DIR", "CODEX_HOME"):
            self.environ.pop(elsewhere, None)

    # What is on its disk

    def join(
        self,
        *plugins: Mapping[str, Any],
        etag: str | None = "etag-1",
        probation: str | None = None,
    ) -> None:
        """Put a central layer in slot a, confirmed unless a probation is given."""
        self.home.control_dir.mkdir(parents=True, exist_ok=True)
        document = {"version": 2, "plugins": list(plugins or [{"name": CLAUDE}])}
        self.home.slot_file("a").write_text(json.dumps(document))
        if etag is not None:
            self.home.slot_etag_file("a").write_text(f"{etag}\n")
        self.home.active_link.unlink(missing_ok=True)
        self.home.active_link.symlink_to("config.a.json")
        state = {"probation": {"etag": probation, "slot": "a"}} if probation else {}
        self.home.state_file.write_text(json.dumps(state))

    def generate_transcripts(self, *options: str) -> None:
        subprocess.run(
            [sys.executable, str(MAKE_TRANSCRIPTS), "--out", str(self.user_home), *options],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def import_with(self, code: str) -> None:
        """Let a snippet be the import command; ``sys.argv`` holds ``backfill claude …``."""
        script = self.root / "import_command.py"
        script.write_text(textwrap.dedent(code))
        self.environ["HYP_BACKFILL_COMMAND"] = shlex.join([sys.executable, str(script)])

    def markers(self) -> dict[str, Any]:
        try:
            markers: dict[str, Any] = json.loads(self.home.marker_file.read_bytes())
        except FileNotFoundError:
            return {}
        return markers

    def marker(self) -> dict[str, Any]:
        marker: dict[str, Any] = self.markers().get("backfill", {}).get(CLAUDE, {})
        return marker

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return the daemon's log lines so far, of one event or all."""
        try:
            lines = self.home.log_file.read_text().splitlines()
        except FileNotFoundError:
            return []
        events = [json.loads(line) for line in lines]
        return [event for event in events if name is None or event["event"] == name]

    # Its program

    def hyp(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*HYP, *arguments],
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=TRAP_S,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``hyp`` and leave it running; the test waits for its end."""
        return subprocess.Popen(
            [*HYP, *arguments],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def status(self) -> dict[str, Any]:
        answer = self.hyp("status", "--json")
        assert answer.returncode == 0, answer.stderr
        report: dict[str, Any] = json.loads(answer.stdout)
        return report

    def query(self, sql: str) -> list[dict[str, Any]]:
        answer = self.hyp("query", "sql", sql, "--json")
        assert answer.returncode == 0, answer.stderr
        rows: list[dict[str, Any]] = json.loads(answer.stdout)
        return rows

    @contextlib.contextmanager
    def daemon(self, *arguments: str) -> Iterator[RunningDaemon]:
        """Run the daemon until the context ends; it must have said that it is ready."""
        with (self.root / "daemon.stderr").open("a") as stderr:
            process = subprocess.Popen(
                [*HYP, "daemon", "--actors", *arguments],
                env=self.environ,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert process.stdout is not None
        with process.stdout:
            try:
                line = process.stdout.readline()
                assert line.startswith("hyp daemon: ready "), (line, self.stderr())
                yield RunningDaemon(process, line)
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait(TRAP_S)

    def stderr(self) -> str:
        return (self.root / "daemon.stderr").read_text()

    def run_once(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.hyp("daemon", "--actors", "--once", *arguments)


def session_lines(count: int, *, session: str = "s1", at: str = "2026-11-01") -> Sequence[str]:
    """Return a transcript of alternating user and assistant lines, one row each."""
    lines = []
    for index in range(count):
        role = "assistant" if index % 2 else "user"
        lines.append(
            json.dumps(
                {
                    "type": role,
                    "sessionId": session,
                    "uuid": f"{session}-{index}",
                    "timestamp": f"{at}T08:{index // 60 % 60:02d}:{index % 60:02d}.000Z",
                    "message": {"role": role, "content": [{"type": "text", "text": f"m{index}"}]},
                }
            )
        )
    return lines
