"""What a supervisor can be told and asked; the last three it tells itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.supervision._mailbox import Urgent

if TYPE_CHECKING:
    from hypactors.supervision._specs import ChildSpec


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start one more child, unless one of that name is there already and has not stopped.

    One that depends on nobody there waits: for one of that name to be added, perhaps.
    """

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class ListChildren:
    """Ask for a tuple of :class:`ChildStatus`, in order of start."""


@dataclass(frozen=True, slots=True)
class StopChildren(Urgent):
    """Ask to stop all children in reverse order of start, each within its budget.

    ``within_s`` bounds the whole. The answer is the names of those that did not stop in time;
    they have been told to, and end when they come to it.
    """

    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class StartAgain:
    tickets: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class StartBudgetSpent:
    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Sweep:
    pass
