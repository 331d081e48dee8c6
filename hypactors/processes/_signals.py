"""Ending runs: asking and forcing.

Nothing is signalled unless its identity fits the records and the run id is found in it
(contract §5.4); children of such a process are known by descent.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import psutil

from hypactors.processes._identity import carries_run_id, inherits_run_id, is_running

if TYPE_CHECKING:
    from hypactors.processes._identity import ProcessIdentity
    from hypactors.processes._runs import RunFolder

# Stopped processes start no others, so two rounds find a whole tree; more is somebody fighting.
TREE_ROUNDS = 10


def terminate(folder: RunFolder) -> bool:
    """Ask a run to end; return whether there was anybody to ask.

    The launcher passes it on. Without a launcher the import's group is asked, and without a
    usable ``pid.json`` whatever inherited the run's environment.
    """
    launcher, child = _verified(folder)
    if launcher is not None:
        return _send(launcher, signal.SIGTERM)
    if child is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGTERM)
            return True
        return False
    asked = [_send(process, signal.SIGTERM) for process in _inheritors(folder.run_id)]
    return any(asked)


def kill(folder: RunFolder) -> bool:
    """Kill everything that belongs to a run; return whether there was anything.

    The import's tree goes first and the launcher last, so that nothing is left whose parent
    could not be found any more. It also sweeps up what an import that died left behind. A run
    that was killed like this has no result: it was interrupted, it did not fail.
    """
    launcher, child = _verified(folder)
    if launcher is not None:
        # Or it might be quick enough to write down the death of the import as its result.
        _send(launcher, signal.SIGSTOP)
    tree = _stopped_tree(folder.run_id, child, launcher)
    for process in tree:
        _send(process, signal.SIGKILL)
    killed_launcher = launcher is not None and _send(launcher, signal.SIGKILL)
    return bool(tree) or killed_launcher


def _verified(folder: RunFolder) -> tuple[psutil.Process | None, psutil.Process | None]:
    """Return the launcher and the import, each if alive and certainly of this run."""
    pids = folder.pids()
    if pids is None:
        return None, None

    def verify(identity: ProcessIdentity | None) -> psutil.Process | None:
        if identity is None:
            return None
        with contextlib.suppress(psutil.Error):
            # psutil remembers the creation time from here on, and refuses to signal another
            # process with that pid; what it remembers is checked to be what we mean.
            process = psutil.Process(identity.pid)
            if is_running(identity, pids.boot_id) and carries_run_id(identity.pid, folder.run_id):
                return process
        return None

    return verify(pids.launcher), verify(pids.import_)


def _stopped_tree(
    run_id: str, child: psutil.Process | None, launcher: psutil.Process | None
) -> set[psutil.Process]:
    """Find and stop the import and all that it started, until no more of it turns up."""
    tree: set[psutil.Process] = set()
    for _ in range(TREE_ROUNDS):
        found = set(_inheritors(run_id))
        for root in (child, launcher):
            if root is not None:
                with contextlib.suppress(psutil.Error):
                    found |= {root, *root.children(recursive=True)}
        found -= {*tree, launcher}
        if not found:
            break
        for process in found:
            _send(process, signal.SIGSTOP)
        tree |= found
    return tree


def _inheritors(run_id: str) -> list[psutil.Process]:
    """Return the processes that have the run id in their environment, us excepted."""
    found = []
    for pid in psutil.pids():
        # Each process is remembered before it is looked into: a pid that changes hands after
        # that is noticed by psutil when the signal is to be sent.
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if pid != os.getpid() and inherits_run_id(pid, run_id):
                found.append(process)
    return found


def _send(process: psutil.Process, number: signal.Signals) -> bool:
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True
