"""What a running daemon keeps under ``run/``: its lock, its pid file and its snapshot."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any

from hypactors.clock import iso_ms
from hypactors.errors import HomeBusyError
from hypactors.files import ensure_private_dir, read_if_present, remove_leftovers, write_atomic
from hypactors.processes import FileLock, is_live_daemon

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from hypactors.clock import Clock
    from hypactors.paths import HypHome


class DaemonState(enum.StrEnum):
    """A daemon's life, as ``run/status.json`` tells it."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    STOPPED = "stopped"


def own_home(home: HypHome) -> FileLock:
    """Take the daemon lock; it is ours until it is closed or this process ends.

    Raises ``HomeBusyError`` when another daemon, ours or the other client's, runs on this home.
    """
    ensure_private_dir(home.run_dir)
    lock = FileLock.try_take(home.daemon_lock)
    pid = _pid_in(home.pid_file)
    if lock is None:
        who = "another daemon" if pid is None else f"another daemon (pid {pid})"
        raise HomeBusyError(f"{who} runs on {home.root}; stop it first with 'hyp daemon stop'")
    if pid is not None and is_live_daemon(pid):
        lock.close()
        raise HomeBusyError(
            f"a daemon of the other client (pid {pid}, from {home.pid_file}) runs on {home.root}; "
            "stop it first"
        )
    return lock


class HomeFiles:
    """Writer of the pid file and of the snapshot; used by the daemon's main thread alone."""

    def __init__(
        self, home: HypHome, *, clock: Clock, pid: int, run_id: str, mode: str, config_path: Path
    ) -> None:
        self._home = home
        self._clock = clock
        self._identity = {"pid": pid, "runId": run_id, "mode": mode}
        self._config_path = config_path
        self._started_at = clock.now()
        self._healthy_at: datetime | None = None

    @property
    def started_at(self) -> str:
        return iso_ms(self._started_at)

    def write_pid(self) -> None:
        remove_leftovers(self._home.run_dir)
        _write_json(self._home.pid_file, {"startedAt": self.started_at, **self._identity})

    def remove_pid(self) -> None:
        self._home.pid_file.unlink(missing_ok=True)

    def write_state(self, state: DaemonState, warnings: Sequence[str] = ()) -> None:
        """Rewrite ``run/status.json``. Uptime counts from the first time everything was up."""
        now = self._clock.now()
        if state in {DaemonState.HEALTHY, DaemonState.DEGRADED} and self._healthy_at is None:
            self._healthy_at = now
        snapshot: dict[str, Any] = {"state": state, **self._identity, "startedAt": self.started_at}
        uptime_ms = 0
        if self._healthy_at is not None:
            snapshot["healthyAt"] = iso_ms(self._healthy_at)
            uptime_ms = int((now - self._healthy_at).total_seconds() * 1000)
        if state is DaemonState.STOPPED:
            snapshot["stoppedAt"] = iso_ms(now)
        snapshot |= {
            "uptimeMs": max(0, uptime_ms),
            "configPath": str(self._config_path),
            "sources": [],
            "sinks": [],
        }
        if warnings:
            snapshot["warnings"] = list(warnings)
        _write_json(self._home.status_file, snapshot)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomic(path, text.encode("utf-8", "surrogateescape"))


def _pid_in(path: Path) -> int | None:
    try:
        pid = json.loads(read_if_present(path) or b"null")["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if isinstance(pid, int) and not isinstance(pid, bool) else None
