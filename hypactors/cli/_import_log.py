"""What an import tells: events in its run folder, or lines on stderr when a person runs it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hypactors.clock import iso_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.clock import Clock
    from hypactors.providers import Findings

_RUN_DIR_VARIABLE = "HYP_RUN_DIR"
_LOG_FILE = "log.jsonl"


class ImportLog:
    """Appends events to ``log.jsonl`` of the run folder, when there is one (contract §10).

    Not through structlog: its import alone takes longer than a small import does.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock, *, run_id: str) -> None:
        folder = environ.get(_RUN_DIR_VARIABLE)
        self._path = Path(folder) / _LOG_FILE if folder else None
        self._clock = clock
        self._run_id = run_id

    def event(self, event: str, *, level: str = "info", **fields: object) -> None:
        if self._path is None:
            return
        line = json.dumps(
            {
                "ts": iso_ms(self._clock.now()),
                "level": level,
                "event": event,
                "pid": os.getpid(),
                "mode": "import",
                "run_id": self._run_id,
                **fields,
            },
            ensure_ascii=False,
        )
        # A run folder that was taken away, or a full disk, must not fail what it reports on.
        with contextlib.suppress(OSError):
            _append(self._path, f"{line}\n".encode("utf-8", "replace"))

    def findings(self, provider: str, findings: Findings) -> None:
        """Report what was left out: by file in the log, as one line to a person."""
        if not findings.totals:
            return
        if self._path is None:
            self.note(f"{provider}: left out {findings.summary()}")
            return
        for detail in findings.details:
            counts = {finding.value: count for finding, count in detail.counts.items()}
            self.event(
                "history_left_out",
                level="warning",
                provider=provider,
                path=detail.path,
                reason=detail.reason,
                **counts,
            )
        totals = {finding.value: count for finding, count in findings.totals.items()}
        self.event("history_read", level="warning", provider=provider, **totals)

    def note(self, text: str) -> None:
        """Say something to whoever reads stderr."""
        sys.stderr.write(f"hyp backfill: {text}\n")
        sys.stderr.flush()


def _append(path: Path, data: bytes) -> None:
    """Add to the end with one write: readers follow the file, and never see half a line."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
