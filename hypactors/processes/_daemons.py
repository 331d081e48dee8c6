"""Telling a live ``hyp`` daemon, of this client or the other one, by its command line."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_live_daemon(pid: int) -> bool:
    """Say whether ``pid`` is another process that is a running ``hyp daemon`` (contract §5.7).

    Pids are reused, and a pid file outlives a killed daemon: so the command line decides. Our
    own pid is none: in a container the next daemon often gets the pid of the last one.
    """
    try:
        process = psutil.Process(pid)
        return (
            pid != os.getpid()
            and process.status() != psutil.STATUS_ZOMBIE
            and is_daemon_command(process.cmdline())
        )
    except (psutil.Error, ValueError, OverflowError):
        return False


def is_daemon_command(argv: Sequence[str]) -> bool:
    """Say whether a command line is a ``hyp daemon``, of this client or of the other one."""
    if "daemon" not in argv:
        return False
    program = argv[: argv.index("daemon")]
    return any(
        "hyp" in PurePath(word).name or "hypaware" in PurePath(word).parts for word in program
    )
