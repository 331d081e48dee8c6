"""What a child of the daemon tells: events in its run folder (contract §10)."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hypactors.clock import iso_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.clock import Clock

_RUN_DIR_VARIABLE = "HYP_RUN_DIR"
_LOG_FILE = "log.jsonl"


class RunLog:
    """Appends events to ``log.jsonl`` of the run folder, when there is one.

    Not through structlog: its import alone takes longer than a small import does.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock, *, run_id: str, mode: str) -> None:
        folder = environ.get(_RUN_DIR_VARIABLE)
        self._path = Path(folder) / _LOG_FILE if folder else None
        self._clock = clock
        self._run_id = run_id
        self._mode = mode

    def event(self, event: str, *, level: str = "info", **fields: object) -> None:
        if self._path is None:
            return
        line = json.dumps(
            {
                "ts": iso_ms(self._clock.now()),
                "level": level,
                "event": event,
                "pid": os.getpid(),
                "mode": self._mode,
                "run_id": self._run_id,
                **fields,
            },
            ensure_ascii=False,
        )
        # A run folder that was taken away, or a full disk, must not fail what it reports on.
        with contextlib.suppress(OSError):
            _append(self._path, f"{line}\n".encode("utf-8", "replace"))


def _append(path: Path, data: bytes) -> None:
    """Add to the end with one write: readers follow the file, and never see half a line."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
