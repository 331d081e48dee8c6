"""What the reconciler keeps in mind, and what it says when all is quiet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.clock import iso_ms

if TYPE_CHECKING:
    from datetime import datetime

    from hypactors.actions import Unit
    from hypactors.messages import Perform


@dataclass(frozen=True, slots=True)
class Settled:
    """A pass is over and nothing is under way; ``unmet`` is what was wanted and is not done."""

    unmet: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Planning:
    """A pass that waits for its snapshot of the markers."""

    number: int
    reason: str
    is_edge: bool

    id: str
    """Names it in the log, and what it began."""

    def own_run_id(self, now: datetime) -> str:
        """Name an attempt that no runner makes: the store must know it again (contract §5.3)."""
        return f"{iso_ms(now)}-{self.number}"


@dataclass(frozen=True, slots=True)
class ResyncDue:
    """Time to compare wish and record again, whether or not anything was heard."""


@dataclass(frozen=True, slots=True)
class Given:
    """A unit that a runner has, or will be given once it is there."""

    runner: str
    perform: Perform
