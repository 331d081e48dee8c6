"""Import runs: their folders, their lock, who they are, watching them and ending them.

Names are loaded when they are first asked for. The launcher lives in this package too and must
not pay for psutil and msgspec, and neither must an import that only wants its lock.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypactors.processes._daemons import is_daemon_command, is_live_daemon
    from hypactors.processes._identity import (
        ProcessIdentity,
        carries_run_id,
        identify,
        is_running,
    )
    from hypactors.processes._launch import launch
    from hypactors.processes._limits import (
        MEMORY_LIMIT,
        MIB,
        ImportLimits,
        LimitWatch,
        Usage,
        in_words,
    )
    from hypactors.processes._lock import FileLock, ImportLock, is_free
    from hypactors.processes._names import PROGRESS_FILE, RUN_DIR_VARIABLE, WORKERS_VARIABLE
    from hypactors.processes._procfs import boot_id
    from hypactors.processes._records import (
        ImportProgress,
        ImportSummary,
        PidRecord,
        RunRecord,
        RunResult,
    )
    from hypactors.processes._runs import LiveRun, ProviderRuns, RunFolder, find_live_runs
    from hypactors.processes._signals import kill, terminate
    from hypactors.processes._slots import ImportSlots
    from hypactors.processes._state import RunFacts, RunState, decide, inspect
    from hypactors.processes._usage import cut_stderr, measure
    from hypactors.processes._watch import RunWatch

__all__ = [
    "MEMORY_LIMIT",
    "MIB",
    "PROGRESS_FILE",
    "RUN_DIR_VARIABLE",
    "WORKERS_VARIABLE",
    "FileLock",
    "ImportLimits",
    "ImportLock",
    "ImportProgress",
    "ImportSlots",
    "ImportSummary",
    "LimitWatch",
    "LiveRun",
    "PidRecord",
    "ProcessIdentity",
    "ProviderRuns",
    "RunFacts",
    "RunFolder",
    "RunRecord",
    "RunResult",
    "RunState",
    "RunWatch",
    "Usage",
    "boot_id",
    "carries_run_id",
    "cut_stderr",
    "decide",
    "find_live_runs",
    "identify",
    "in_words",
    "inspect",
    "is_daemon_command",
    "is_free",
    "is_live_daemon",
    "is_running",
    "kill",
    "launch",
    "measure",
    "terminate",
]

_MODULES = {
    "_daemons": ("is_daemon_command", "is_live_daemon"),
    "_identity": ("ProcessIdentity", "carries_run_id", "identify", "is_running"),
    "_launch": ("launch",),
    "_limits": ("MEMORY_LIMIT", "MIB", "ImportLimits", "LimitWatch", "Usage", "in_words"),
    "_names": ("PROGRESS_FILE", "RUN_DIR_VARIABLE", "WORKERS_VARIABLE"),
    "_lock": ("FileLock", "ImportLock", "is_free"),
    "_procfs": ("boot_id",),
    "_records": ("ImportProgress", "ImportSummary", "PidRecord", "RunRecord", "RunResult"),
    "_runs": ("LiveRun", "ProviderRuns", "RunFolder", "find_live_runs"),
    "_signals": ("kill", "terminate"),
    "_slots": ("ImportSlots",),
    "_state": ("RunFacts", "RunState", "decide", "inspect"),
    "_usage": ("cut_stderr", "measure"),
    "_watch": ("RunWatch",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
