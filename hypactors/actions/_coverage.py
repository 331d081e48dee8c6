"""What of a history an import has covered, and what a policy that grew asks for beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from hypactors.clock import parse_iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# Between reading a policy and importing by it some time passes; that is no window that grew.
_TOLERANCE = timedelta(hours=12)
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Covered:
    """A span of time. ``since`` None: from the beginning on."""

    since: datetime | None
    until: datetime

    @classmethod
    def read(cls, value: object) -> Self | None:
        """Read ``covered`` of a marker; None when it is not there or makes no sense."""
        if not isinstance(value, dict):
            return None
        since, until = value.get("since"), value.get("until")
        try:
            begin = None if since is None else parse_iso(since)
            covered = cls(begin, parse_iso(str(until)))
        except (TypeError, ValueError, OverflowError, AttributeError):
            return None
        return covered if begin is None or begin <= covered.until else None

    @property
    def days(self) -> int | None:
        """How many days it spans; None when it has no beginning."""
        if self.since is None:
            return None
        return round((self.until - self.since).total_seconds() / _DAY_S)

    def is_less_than(self, days: float, now: datetime) -> bool:
        """Say whether the last ``days`` before ``now`` begin before this does; 0: all there is."""
        if self.since is None:
            return False
        if days <= 0:
            return True
        try:
            wanted = now - timedelta(days=days)
        except OverflowError:
            return True
        return wanted + _TOLERANCE < self.since


def joined(before: object, after: object) -> Mapping[str, Any] | None:
    """Return the span of two that touch, as a marker holds it; None when they do not."""
    first, second = Covered.read(before), Covered.read(after)
    if first is None or second is None or not isinstance(before, dict):
        return None
    if not isinstance(after, dict) or second.since == first.since:
        return None
    if second.since is not None and (first.since is None or second.since > first.since):
        return None
    if first.since is not None and second.until < first.since:
        return None
    until = before if first.until >= second.until else after
    return {"since": after.get("since"), "until": until["until"]}
