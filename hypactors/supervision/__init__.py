"""Supervisors for Pykka: child specs, restart intensity, back-off, shutdown in order.

Pykka has actors but nobody who restarts them. This package adds the supervisor, and knows nothing
of what its children do.
"""

from hypactors.supervision._actor import (
    ActorCrashed,
    ChildContext,
    ChildEnded,
    ChildReady,
    Notice,
    SupervisedActor,
)
from hypactors.supervision._directory import Directory
from hypactors.supervision._events import (
    ChildCrashed,
    ChildLeftBehind,
    ChildStarted,
    ChildStopped,
    RestartScheduled,
    SupervisionEvent,
    SupervisorGaveUp,
    TreeStarted,
)
from hypactors.supervision._specs import Backoff, ChildSpec, Intensity, Restart
from hypactors.supervision._supervisor import (
    ChildState,
    ChildStatus,
    EndedWithoutAWord,
    ListChildren,
    RestartIntensityExceeded,
    StartChild,
    StopChildren,
    Supervisor,
)
from hypactors.supervision._timers import ThreadTimers, Timer, Timers

__all__ = [
    "ActorCrashed",
    "Backoff",
    "ChildContext",
    "ChildCrashed",
    "ChildEnded",
    "ChildLeftBehind",
    "ChildReady",
    "ChildSpec",
    "ChildStarted",
    "ChildState",
    "ChildStatus",
    "ChildStopped",
    "Directory",
    "EndedWithoutAWord",
    "Intensity",
    "ListChildren",
    "Notice",
    "Restart",
    "RestartIntensityExceeded",
    "RestartScheduled",
    "StartChild",
    "StopChildren",
    "SupervisedActor",
    "SupervisionEvent",
    "Supervisor",
    "SupervisorGaveUp",
    "ThreadTimers",
    "Timer",
    "Timers",
    "TreeStarted",
]
