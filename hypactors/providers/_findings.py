"""What an import came across and could not use: counted by file, never fatal."""

from __future__ import annotations

import enum

import msgspec

# A tree with a million bad files should not fill the log of the run: totals count on.
MAX_DETAILS = 100


class Finding(enum.StrEnum):
    """Why something was left out. The values are keys in the log."""

    UNPARSEABLE_LINE = "unparseable_lines"
    OVERSIZED_LINE = "oversized_lines"
    UNREADABLE_FILE = "unreadable_files"
    UNREADABLE_FOLDER = "unreadable_folders"


class Detail(msgspec.Struct):
    """What happened at one path."""

    path: str
    counts: dict[Finding, int] = {}
    reason: str | None = None


class Findings(msgspec.Struct):
    """The counts of one provider's run, or of a part of it."""

    totals: dict[Finding, int] = {}
    by_path: dict[str, Detail] = {}

    def add(self, finding: Finding, path: str, reason: str | None = None, count: int = 1) -> None:
        self.totals[finding] = self.totals.get(finding, 0) + count
        detail = self._detail(path)
        if detail is not None:
            detail.counts[finding] = detail.counts.get(finding, 0) + count
            detail.reason = detail.reason or reason

    def merge(self, other: Findings) -> None:
        """Add what another process came across."""
        for finding, count in other.totals.items():
            self.totals[finding] = self.totals.get(finding, 0) + count
        for path, theirs in other.by_path.items():
            detail = self._detail(path)
            if detail is not None:
                for finding, count in theirs.counts.items():
                    detail.counts[finding] = detail.counts.get(finding, 0) + count
                detail.reason = detail.reason or theirs.reason

    def take(self) -> Findings:
        """Return what there is, and begin anew."""
        taken = Findings(self.totals, self.by_path)
        self.totals, self.by_path = {}, {}
        return taken

    def count(self, finding: Finding) -> int:
        return self.totals.get(finding, 0)

    @property
    def details(self) -> tuple[Detail, ...]:
        """The first ``MAX_DETAILS`` paths, in the order in which they were met."""
        return tuple(self.by_path.values())

    def summary(self) -> str:
        """Return the totals in words, or an empty string when nothing was left out."""
        return ", ".join(
            f"{finding.value.replace('_', ' ')}: {count}" for finding, count in self.totals.items()
        )

    def _detail(self, path: str) -> Detail | None:
        # A path may be no UTF-8, and what is told of it has to be.
        path = path.encode("utf-8", "replace").decode()
        detail = self.by_path.get(path)
        if detail is None and len(self.by_path) < MAX_DETAILS:
            detail = self.by_path[path] = Detail(path)
        return detail
