"""What a supervisor lets its observer know: one record for each change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChildStarted:
    """A child finished its setup; ``restarts`` is 0 for its first life."""

    name: str
    restarts: int


@dataclass(frozen=True, slots=True)
class ChildCrashed:
    """A child died of ``error``."""

    name: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class RestartScheduled:
    """A child will be started again after ``delay_s``."""

    name: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class ChildStopped:
    """A child ended as it was meant to."""

    name: str


@dataclass(frozen=True, slots=True)
class ChildLeftBehind:
    """A child did not stop within its budget; its thread was abandoned."""

    name: str
    shutdown_s: float


@dataclass(frozen=True, slots=True)
class ChildUnresponsive:
    """A child has been in one message for at least ``silent_s``; others wait in its mailbox."""

    name: str
    silent_s: float


@dataclass(frozen=True, slots=True)
class ChildResponsive:
    """A child that was unresponsive has answered."""

    name: str


@dataclass(frozen=True, slots=True)
class TreeStarted:
    """Every child that the supervisor was given at first has finished its setup."""


@dataclass(frozen=True, slots=True)
class SupervisorGaveUp:
    """Too many restarts: the supervisor stopped its children and ends itself."""

    name: str
    child: str
    error: BaseException | None


SupervisionEvent = (
    ChildStarted
    | ChildCrashed
    | RestartScheduled
    | ChildStopped
    | ChildLeftBehind
    | ChildUnresponsive
    | ChildResponsive
    | TreeStarted
    | SupervisorGaveUp
)
