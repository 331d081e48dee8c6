"""Supervisors for Pykka: child specs, strategies, restart intensity, back-off, shutdown in order.

Pykka has actors but nobody who restarts them. This package adds the supervisor, and knows nothing
of what its children do.
"""

from hypactors.supervision._actor import (
    ChildAlive,
    ChildContext,
    ChildEnded,
    ChildReady,
    Notice,
    SupervisedActor,
)
from hypactors.supervision._child import ChildState, ChildStatus
from hypactors.supervision._directory import Directory
from hypactors.supervision._errors import (
    ActorCrashed,
    ChildHung,
    EndedWithoutAWord,
    RestartIntensityExceeded,
    StartTimedOut,
)
from hypactors.supervision._events import (
    ChildCrashed,
    ChildLeftBehind,
    ChildResponsive,
    ChildStarted,
    ChildStopped,
    ChildUnresponsive,
    RestartScheduled,
    SupervisionEvent,
    SupervisorGaveUp,
    TreeStarted,
)
from hypactors.supervision._mailbox import Urgent
from hypactors.supervision._order import Strategy
from hypactors.supervision._requests import ListChildren, StartChild, StopChildren
from hypactors.supervision._specs import Backoff, ChildSpec, Intensity, Restart
from hypactors.supervision._supervisor import Supervisor
from hypactors.supervision._timers import ThreadTimers, Timer, Timers

__all__ = [
    "ActorCrashed",
    "Backoff",
    "ChildAlive",
    "ChildContext",
    "ChildCrashed",
    "ChildEnded",
    "ChildHung",
    "ChildLeftBehind",
    "ChildReady",
    "ChildResponsive",
    "ChildSpec",
    "ChildStarted",
    "ChildState",
    "ChildStatus",
    "ChildStopped",
    "ChildUnresponsive",
    "Directory",
    "EndedWithoutAWord",
    "Intensity",
    "ListChildren",
    "Notice",
    "Restart",
    "RestartIntensityExceeded",
    "RestartScheduled",
    "StartChild",
    "StartTimedOut",
    "StopChildren",
    "Strategy",
    "SupervisedActor",
    "SupervisionEvent",
    "Supervisor",
    "SupervisorGaveUp",
    "ThreadTimers",
    "Timer",
    "Timers",
    "TreeStarted",
    "Urgent",
]
