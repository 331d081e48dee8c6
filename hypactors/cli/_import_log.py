"""What an import tells: events in its run folder, or lines on stderr when a person runs it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hypactors.cli._run_log import RunLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.clock import Clock
    from hypactors.providers import Findings


class ImportLog(RunLog):
    """The log of one import."""

    def __init__(self, environ: Mapping[str, str], clock: Clock, *, run_id: str) -> None:
        super().__init__(environ, clock, run_id=run_id, mode="import")

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
