"""Telling one process from another that has its pid by now (contract §5.4)."""

from __future__ import annotations

import contextlib
from typing import Annotated

import msgspec
import psutil

from hypactors.processes import _procfs
from hypactors.processes._names import RUN_ID_VARIABLE

# How far two readings of one creation time may be apart where there are no start ticks.
CREATE_TIME_TOLERANCE_S = 2.0


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A process, for as long as this boot lasts. ``start_ticks`` is None outside Linux."""

    pid: Annotated[int, msgspec.Meta(gt=0)]
    start_ticks: int | None
    create_time: float


def identify(pid: int) -> ProcessIdentity | None:
    """Return who has this pid now, or None when nobody has or only a zombie is left."""
    try:
        process = psutil.Process(pid)
        created = process.create_time()
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
    except (psutil.Error, ValueError, OverflowError):
        return None
    return ProcessIdentity(pid=pid, start_ticks=_procfs.start_ticks(pid), create_time=created)


def is_running(identity: ProcessIdentity, boot_id: str | None) -> bool:
    """Say whether that very process still runs; ``boot_id`` is the boot it was seen in.

    A zombie is gone, and so is one whose pid belongs to another process now.
    """
    if boot_id is not None and boot_id != _procfs.boot_id():
        return False
    if identity.start_ticks is not None:
        return _procfs.start_ticks(identity.pid) == identity.start_ticks
    current = identify(identity.pid)
    return (
        current is not None
        and abs(current.create_time - identity.create_time) <= CREATE_TIME_TOLERANCE_S
    )


def carries_run_id(pid: int, run_id: str) -> bool:
    """Say whether a process belongs to a run: the run id is in its argv or its environment.

    It must hold before any signal is sent. What may not be read does not carry it.
    """
    if inherits_run_id(pid, run_id):
        return True
    with contextlib.suppress(psutil.Error, ValueError, OverflowError):
        return any(run_id in argument for argument in psutil.Process(pid).cmdline())
    return False


def inherits_run_id(pid: int, run_id: str) -> bool:
    """Say whether the run's environment was handed down to a process.

    Stricter than ``carries_run_id``: a pager that shows a file of the run has the run id in its
    argv, so argv alone must never be what makes a process part of a run.
    """
    with contextlib.suppress(psutil.Error, ValueError, OverflowError):
        return psutil.Process(pid).environ().get(RUN_ID_VARIABLE) == run_id
    return False
