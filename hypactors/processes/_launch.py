"""Starting a run."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
import sys
from pathlib import Path
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
        [
            *_stand_back(nice),
            *(sys.executable, "-P", "-m", "hypactors.processes._launcher", str(path)),
        ],
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
    if sys.platform == "linux":
        _stand_back_as_a_session(process.pid, nice)
    return process


def _stand_back_as_a_session(pid: int, nice: int) -> None:
    """Let other sessions go first too.

    Where the kernel groups processes by session, as on most desktops, nice counts only among the
    processes of one session, and a session of its own would take a full share.
    """
    with contextlib.suppress(OSError):  # no such grouping here, or the process has ended already
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


@functools.cache
def _stand_back(nice: int) -> tuple[str, ...]:
    """Return the commands that let everybody else go first, with the processor and the disk.

    From its very first instruction: twenty imports that start at once would compete with the
    daemon that starts them. Where a system lacks one of them, an import is less polite.
    """
    politely: list[str] = []
    if nice and (command := shutil.which("nice")):
        politely += (command, "-n", str(nice))
    if sys.platform == "linux" and (ionice := shutil.which("ionice")):
        politely += (ionice, "-c", "3", "-t")
    return tuple(politely)
