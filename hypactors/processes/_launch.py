"""Starting a run."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil

from hypactors.processes import _names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.processes._lock import FileLock
    from hypactors.processes._records import RunRecord
    from hypactors.processes._runs import RunFolder


def launch(
    folder: RunFolder,
    record: RunRecord,
    *,
    environ: Mapping[str, str],
    lock: FileLock,
    nice: int,
) -> psutil.Popen:
    """Start the launcher of a recorded run, in a session of its own and out of our way.

    The launcher and the import inherit the lock. The caller closes its own copy right after,
    also when this raises, or the lock would stay held after the import is over; and hands the
    process to ``RunWatch.watch``, which is the one that reaps it. ``environ`` has ``HYP_HOME``
    set by the caller. Raises ``OSError`` when no process can be started.

    Everything secret travels in the environment or in files: argv is visible to all users.
    """
    path = folder.path.absolute()
    process = psutil.Popen(
        # -P: the folder that we happen to be in must not shadow a module.
        [sys.executable, "-P", "-m", "hypactors.processes._launcher", str(path), str(nice)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={
            **environ,
            _names.RUN_ID_VARIABLE: record.run_id,
            _names.RUN_DIR_VARIABLE: str(path),
            _names.LOCK_FD_VARIABLE: str(lock.fileno()),
        },
        pass_fds=(lock.fileno(),),
        start_new_session=True,
    )
    _make_io_idle(process)
    return process


def _make_io_idle(process: psutil.Popen) -> None:
    """Let disk access wait for everybody else's, where the system can; the import inherits it.

    Done from here because the launcher does without psutil. It is in time: an interpreter takes
    ten thousand times longer to start than this call.
    """
    if sys.platform == "linux":
        with contextlib.suppress(psutil.Error, OSError):
            process.ionice(psutil.IOPRIO_CLASS_IDLE)
