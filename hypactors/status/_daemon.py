"""The daemon row: from the daemon itself, else from the files that one left behind."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.files import read_if_present
from hypactors.processes import is_live_daemon

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hypactors.paths import HypHome
    from hypactors.status._live import LiveDaemon
    from hypactors.status._report import DaemonRow


@dataclass(frozen=True, slots=True)
class _JsonFile:
    """A JSON object from a file; ``error`` when the file is there and is none."""

    fields: Mapping[str, Any]
    error: str | None = None

    def text(self, key: str) -> str | None:
        value = self.fields.get(key)
        return value if isinstance(value, str) else None


def daemon_row(home: HypHome, live: LiveDaemon | None) -> DaemonRow:
    """Return what there is to say about the daemon. There is no service to install yet."""
    if live is not None:
        row = _row(
            running=True,
            state=live.state,
            pid=live.pid,
            mode=live.mode,
            run_id=live.run_id,
            started_at=live.started_at,
        )
        if live.warnings:
            row["warnings"] = list(live.warnings)
        if live.export_trouble is not None:
            row["export_trouble"] = live.export_trouble
        return row
    return _row_from_files(home)


def _row_from_files(home: HypHome) -> DaemonRow:
    pid_file, snapshot = _read(home.pid_file), _read(home.status_file)
    pid = pid_file.fields.get("pid")
    if isinstance(pid, int) and not isinstance(pid, bool) and is_live_daemon(pid):
        is_its_own = snapshot.fields.get("pid") == pid
        row = _row(
            running=True,
            state=(snapshot.text("state") if is_its_own else None) or "unknown",
            pid=pid,
            mode=pid_file.text("mode"),
            run_id=pid_file.text("runId"),
            started_at=pid_file.text("startedAt"),
        )
    else:
        row = _row(
            running=False,
            state=snapshot.text("state") or "unknown",
            pid=None,
            mode=snapshot.text("mode"),
            run_id=snapshot.text("runId"),
            started_at=None,
        )
    error = pid_file.error or snapshot.error
    if error is not None:
        row["error"] = error
    return row


def _row(
    *,
    running: bool,
    state: str,
    pid: int | None,
    mode: str | None,
    run_id: str | None,
    started_at: str | None,
) -> DaemonRow:
    return {
        "installed": False,
        "loaded": False,
        "running": running,
        "state": state,
        "pid": pid,
        "mode": mode,
        "run_id": run_id,
        "platform": sys.platform,
        "started_at": started_at,
    }


def _read(path: Path) -> _JsonFile:
    try:
        raw = read_if_present(path)
        value: Any = msgspec.json.decode(raw) if raw is not None else {}
    except OSError as error:
        return _JsonFile({}, f"{path} cannot be read ({error.strerror})")
    except (ValueError, RecursionError):
        return _JsonFile({}, f"{path} is not JSON")
    if not isinstance(value, dict):
        return _JsonFile({}, f"{path} is not a JSON object")
    return _JsonFile(value)
