"""How far an import is: reckoned here, and shown by whoever listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hypactors.clock import iso_ms
from hypactors.processes import PROGRESS_FILE, ImportProgress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypactors.clock import Clock

LEAST_INTERVAL_S = 1 / 3
"""With what is told at the end that is at most four times a second (contract §5)."""

# Before this the rate is that of a start, and says nothing.
_LEAST_ELAPSED_S = 1.0


class Progress:
    """Counts files, bytes and rows, and tells them to ``show`` now and then."""

    def __init__(self, clock: Clock, show: Callable[[ImportProgress], object]) -> None:
        self._clock = clock
        self._show = show
        self._begun_s = self._shown_s = clock.monotonic()
        self._read_from_bytes = 0
        self.files_total = self.files_done = 0
        self.bytes_total = self.bytes_done = 0
        self.rows_written = 0
        self._under_way: dict[int, int] = {}
        self._shown_bytes = 0

    def begin(self, files: int, size: int, *, known_files: int, known_bytes: int) -> None:
        """Say what there is in all, and how much of it need not be read."""
        self._begun_s = self._clock.monotonic()
        self.files_total, self.bytes_total = files, size
        self.files_done, self.bytes_done = known_files, known_bytes
        self._read_from_bytes = known_bytes
        self._tell("reading")

    def file_under_way(self, size: int, *, task: int) -> None:
        """Say how much of the file that a task is at has been read."""
        self._under_way[task] = size
        self._tell_if_due()

    def file_ended(self, size: int, *, task: int) -> None:
        self.files_done += 1
        self.bytes_done += size
        self._under_way.pop(task, None)
        self._tell_if_due()

    def end(self) -> None:
        self._tell("done")

    def _tell_if_due(self) -> None:
        if self._clock.monotonic() - self._shown_s >= LEAST_INTERVAL_S:
            self._tell("reading")

    def _tell(self, phase: str) -> None:
        self._shown_s = self._clock.monotonic()
        reached = min(self.bytes_done + sum(self._under_way.values()), self.bytes_total)
        # A file can be larger by now than it was when all were counted; no bar should go back.
        bytes_done = self._shown_bytes = max(reached, self._shown_bytes)
        self._show(
            ImportProgress(
                at=iso_ms(self._clock.now()),
                phase=phase,
                files_done=self.files_done,
                files_total=self.files_total,
                bytes_done=bytes_done,
                bytes_total=self.bytes_total,
                rows_written=self.rows_written,
                eta_s=self._eta_s(bytes_done),
            )
        )

    def _eta_s(self, bytes_done: int) -> int | None:
        """Return how many seconds are left at the rate so far; None while that is not known."""
        elapsed_s = self._clock.monotonic() - self._begun_s
        read = bytes_done - self._read_from_bytes
        if elapsed_s < _LEAST_ELAPSED_S or read <= 0:
            return None
        return round((self.bytes_total - bytes_done) * elapsed_s / read)


class ProgressFile:
    """Writes the figures to ``progress.json`` of a run folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS_FILE

    def __call__(self, progress: ImportProgress) -> None:
        # Not fsynced: it is worth nothing after a power cut. Nor may it fail what it tells of.
        partial = self._path.with_suffix(".partial")
        try:
            partial.write_bytes(msgspec.json.encode(progress))
            partial.replace(self._path)
        except OSError:
            pass
