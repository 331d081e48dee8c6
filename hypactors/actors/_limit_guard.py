"""Keeping an import within its limits: looks at it now and then, and ends it when it must."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from hypactors.actors._runner_states import GraceIsOver, LookAtImport, Running
from hypactors.processes import LimitWatch, cut_stderr, kill, measure, terminate

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from hypactors.clock import Clock
    from hypactors.processes import ImportLimits, RunFolder, Usage
    from hypactors.supervision import Timer, Timers

LOOK_S = 5.0
"""How often an import is looked at; one look costs about a millisecond."""

LOOKS_A_SAVE = 12
"""How long it has run is put on disk once a minute: a daemon that follows goes on from there."""


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """``grace_s`` is what an import has to end by itself; ``measure`` is for tests to put in."""

    limits: ImportLimits
    grace_s: float
    measure: Callable[[RunFolder], Usage] = measure


class LimitGuard:
    """Watches the import of one runner, on its thread. ``tell_self`` puts messages in its mailbox.

    A verdict is on disk before anybody is signalled (``stopped_for`` in ``run.json``), so that
    whoever takes the run up after a crash knows that it failed, and was not interrupted.
    """

    def __init__(
        self,
        settings: LimitSettings,
        *,
        clock: Clock,
        timers: Timers,
        tell_self: Callable[[object], object],
        log: FilteringBoundLogger,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._timers = timers
        self._tell_self = tell_self
        self._log = log
        self._watch: LimitWatch | None = None
        self._looks = 0
        self._timer: Timer | None = None

    def begin(self, running: Running) -> None:
        """Follow an import that starts, or that was found again."""
        self.end()
        record = running.record
        self._watch = LimitWatch(
            self._settings.limits, now_s=self._clock.monotonic(), elapsed_s=record.elapsed_s
        )
        if record.stopped_for is None:
            self._look_later(running)
        else:  # whoever had decided so did not live to see the end of it
            self._ask_to_end(running)

    def end(self) -> None:
        self._watch = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self, running: Running) -> Running:
        """Look once; return the run with what is on disk about it now."""
        watch = self._watch
        if watch is None or running.record.stopped_for is not None:
            return running
        now_s = self._clock.monotonic()
        self._looks += 1
        try:
            if cut_stderr(running.folder):
                self._log.warning("import_stderr_cut", run_id=running.folder.run_id)
            reason = watch.exceeded(now_s, self._settings.measure(running.folder))
            if reason is not None or self._looks % LOOKS_A_SAVE == 0:
                running = self._save(running, watch.elapsed_s(now_s), reason)
        except OSError as error:  # a full disk, perhaps: nothing is decided that is not on it
            self._log.error("import_not_looked_at", run_id=running.folder.run_id, detail=str(error))
            reason = None
        if reason is None:
            self._look_later(running)
        else:
            self._log.error("import_over_limit", run_id=running.folder.run_id, reason=reason)
            self._ask_to_end(running)
        return running

    def grace_is_over(self, running: Running) -> None:
        kill(running.folder)

    def _save(self, running: Running, elapsed_s: float, reason: str | None) -> Running:
        record = msgspec.structs.replace(
            running.record, elapsed_s=round(elapsed_s, 3), stopped_for=reason
        )
        running.folder.write_record(record)
        return Running(running.folder, record)

    def _ask_to_end(self, running: Running) -> None:
        terminate(running.folder)
        self._later(self._settings.grace_s, GraceIsOver(running.folder.run_id))

    def _look_later(self, running: Running) -> None:
        self._later(LOOK_S, LookAtImport(running.folder.run_id))

    def _later(self, delay_s: float, message: object) -> None:
        self._timer = self._timers.call_later(delay_s, lambda: self._tell_self(message))
