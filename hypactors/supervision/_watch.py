"""What can be found out about children that say nothing themselves."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from hypactors.supervision._child import ChildState
from hypactors.supervision._specs import Restart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hypactors.supervision._child import Child

SWEEP_S = 1.0
"""How often threads are checked that may have ended without a word. Crashes are told at once."""

SWEEPS_A_PING = 5
"""A ping wakes a child up, so an idle tree is not pinged at every sweep."""


class Finding(enum.Enum):
    GONE = "its thread has ended"
    UNASKED = "it has not been pinged for a while"
    UNRESPONSIVE = "it has not answered a ping in time"
    LOST = "it is permanent, and not expected to answer any more"


class Watch:
    """Looks at running children, a sweep at a time; owned by the supervisor's thread."""

    def __init__(self) -> None:
        self._sweeps = 0

    def sweep(self, children: Iterable[Child]) -> Iterator[tuple[Child, Finding]]:
        """Yield what is found, one by one: a finding may change how it is with the next child."""
        self._sweeps += 1
        for child in children:
            if child.state is not ChildState.RUNNING or child.thread is None:
                continue
            if not child.thread.is_alive():
                yield child, Finding.GONE
            elif child.is_pinged:
                for finding in self._silent(child):
                    yield child, finding
            elif self._sweeps % SWEEPS_A_PING == 0:
                child.is_pinged = True
                yield child, Finding.UNASKED

    def _silent(self, child: Child) -> Iterator[Finding]:
        """Count sweeps and not the time: a program that was stopped for a while blames nobody."""
        child.silent_s += SWEEP_S
        if not child.is_unresponsive and child.silent_s >= child.spec.hang_after_s:
            child.is_unresponsive = True
            child.hangs += 1
            yield Finding.UNRESPONSIVE
        is_permanent = child.spec.restart is Restart.PERMANENT
        if is_permanent and child.silent_s >= child.spec.lost_after_s:
            yield Finding.LOST
