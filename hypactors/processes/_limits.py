"""When an import has used more than it may (contract §3, §5.6); without processes or a clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

MIB = 1024 * 1024
MEMORY_LIMIT = "memory limit"
"""What the reason begins with: the next attempt gets by with less."""


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """Times run on a clock that stands still in suspend."""

    max_runtime_s: float = 21_600.0
    no_progress_s: float = 900.0
    memory_bytes: int = 1536 * MIB
    stdout_bytes: int = 16 * MIB


@dataclass(frozen=True, slots=True)
class Usage:
    """One look at an import and all that it started.

    ``progress`` is anything that differs when work was done; ``memory_bytes`` is None where it
    cannot be told.
    """

    memory_bytes: int | None
    progress: Hashable
    stdout_bytes: int


class LimitWatch:
    """Follows one import. ``elapsed_s`` is what it had run before it was taken up."""

    def __init__(self, limits: ImportLimits, *, now_s: float, elapsed_s: float = 0.0) -> None:
        self._limits = limits
        self._began_s = now_s - elapsed_s
        self._progressed_s = now_s
        self._progress: Hashable = None

    def elapsed_s(self, now_s: float) -> float:
        return now_s - self._began_s

    def exceeded(self, now_s: float, usage: Usage) -> str | None:
        """Return which limit is passed, in words for a marker; None while none is."""
        limits = self._limits
        if usage.progress != self._progress:
            self._progress, self._progressed_s = usage.progress, now_s
        if usage.memory_bytes is not None and usage.memory_bytes > limits.memory_bytes:
            used = -(-usage.memory_bytes // MIB)
            return f"{MEMORY_LIMIT}: {used} MiB of {limits.memory_bytes // MIB}"
        if usage.stdout_bytes > limits.stdout_bytes:
            return f"it wrote more than {limits.stdout_bytes // MIB} MiB to stdout"
        if self.elapsed_s(now_s) > limits.max_runtime_s:
            return f"it ran for longer than {in_words(limits.max_runtime_s)}"
        if now_s - self._progressed_s > limits.no_progress_s:
            return f"no progress for {in_words(limits.no_progress_s)}"
        return None


def in_words(seconds: float) -> str:
    """Return a time as a person says it.

    >>> [in_words(s) for s in (0.25, 45, 90, 900, 21600, 5400)]
    ['0.25 s', '45 s', '90 s', '15 min', '6 h', '90 min']
    """
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds / unit_s:g} {unit}"
    return f"{seconds:g} s"
