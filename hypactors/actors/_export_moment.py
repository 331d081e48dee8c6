"""When is the next export? Decided from what is on disk, without the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.central import ladder_s
from hypactors.config import next_match

if TYPE_CHECKING:
    from datetime import datetime

    from hypactors.forward import Hold, SinkStatus

MOST_SPREAD_S = 15.0
"""A fleet of one schedule must not come in one second."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known when an export might be made.

    ``stamp`` tells the state of the cache, None when there is none; ``failures`` counts exports
    in a row that failed while this runner watched, the last one ``since_failure_s`` ago.
    """

    fleet: str
    stamp: str | None
    status: SinkStatus | None
    hold: Hold | None
    is_enrolled: bool
    failures: int = 0
    since_failure_s: float = 0.0

    def has_news(self) -> bool:
        """Say whether the cache holds anything that was not sent as a whole to this fleet."""
        if self.stamp is None:
            return False
        last = self.status
        return last is None or last.fleet != self.fleet or last.cache_stamp != self.stamp

    def is_due(self, jitter: float) -> bool:
        """Say whether an export is worth its while now."""
        waits = self.failures and self.since_failure_s < ladder_s(self.failures, jitter)
        return self.is_enrolled and self.hold is None and self.has_news() and not waits


def wait_until_next_s(schedule: str, hold: Hold | None, now: datetime, jitter: float) -> float:
    """Return the seconds until the schedule, or the end of a hold, gives the next occasion.

    A schedule that is never due gets a look an hour from now: it may be of use for a hold at least.
    """
    moment = next_match(schedule, now)
    wait_s = 3600.0 if moment is None else (moment - now).total_seconds()
    if hold is not None:
        wait_s = max(0.0, (hold.until - now).total_seconds())
    return wait_s + MOST_SPREAD_S * jitter
