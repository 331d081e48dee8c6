"""What an import came across and could not use: counted by file, never fatal."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

# A tree with a million bad files should not fill the log of the run: totals count on.
MAX_DETAILS = 100


class Finding(enum.StrEnum):
    """Why something was left out. The values are keys in the log."""

    UNPARSEABLE_LINE = "unparseable_lines"
    OVERSIZED_LINE = "oversized_lines"
    UNREADABLE_FILE = "unreadable_files"
    UNREADABLE_FOLDER = "unreadable_folders"


@dataclass(slots=True)
class Detail:
    """What happened at one path."""

    path: str
    counts: dict[Finding, int] = field(default_factory=dict)
    reason: str | None = None


class Findings:
    """The counts of one provider's run."""

    def __init__(self) -> None:
        self.totals: dict[Finding, int] = {}
        self._details: dict[str, Detail] = {}

    def add(self, finding: Finding, path: str, reason: str | None = None) -> None:
        self.totals[finding] = self.totals.get(finding, 0) + 1
        detail = self._details.get(path)
        if detail is None:
            if len(self._details) >= MAX_DETAILS:
                return
            detail = self._details[path] = Detail(path)
        detail.counts[finding] = detail.counts.get(finding, 0) + 1
        detail.reason = detail.reason or reason

    @property
    def details(self) -> tuple[Detail, ...]:
        """The first ``MAX_DETAILS`` paths, in the order in which they were met."""
        return tuple(self._details.values())

    def summary(self) -> str:
        """Return the totals in words, or an empty string when nothing was left out."""
        return ", ".join(
            f"{finding.value.replace('_', ' ')}: {count}" for finding, count in self.totals.items()
        )
