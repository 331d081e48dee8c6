"""What an import uses, and keeping what it writes within bounds."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import psutil

from hypactors.processes import _names
from hypactors.processes._identity import is_running
from hypactors.processes._limits import MIB, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hypactors.processes._runs import RunFolder

STDERR_LIMIT_BYTES = MIB
STDERR_KEPT_BYTES = 64 * 1024


def measure(folder: RunFolder) -> Usage:
    """Look at the processes and the files of a run. Never raises for what has just ended."""
    memory: int | None = None
    work: list[float] = []
    for process in _tree(folder):
        with contextlib.suppress(psutil.Error):
            memory = (memory or 0) + _memory(process)
            times = process.cpu_times()
            work += (process.pid, times.user + times.system, *_transferred(process))
    stdout, stderr, progress = (
        _stat(folder.path / name)
        for name in (_names.STDOUT_FILE, _names.STDERR_FILE, _names.PROGRESS_FILE)
    )
    return Usage(memory, (tuple(work), stdout, stderr, progress), stdout[0])


def cut_stderr(folder: RunFolder) -> bool:
    """Keep the end of a long stderr, while the import goes on appending; say whether it was cut.

    What it writes in the instant in between may be lost, or come first; a line is never torn.
    """
    path = folder.path / _names.STDERR_FILE
    if _stat(path)[0] <= STDERR_LIMIT_BYTES:
        return False
    with path.open("rb+") as stream:
        stream.seek(-STDERR_KEPT_BYTES, os.SEEK_END)
        kept = stream.read().partition(b"\n")[2]  # from the start of a line
        stream.truncate(0)
    with path.open("ab") as stream:
        stream.write(kept)
    return True


def _tree(folder: RunFolder) -> Iterable[psutil.Process]:
    """Return the import and all its descendants; the launcher is ours and costs next to nothing."""
    pids = folder.pids()
    if pids is None or pids.import_ is None:
        return []
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pids.import_.pid)
        if is_running(pids.import_, pids.boot_id):
            return [root, *root.children(recursive=True)]
    return []


def _memory(process: psutil.Process) -> int:
    """Return what a process adds to the memory in use: shared pages count in part, if known."""
    with contextlib.suppress(psutil.Error, AttributeError):
        return int(process.memory_full_info().pss)
    return int(process.memory_info().rss)


def _transferred(process: psutil.Process) -> tuple[float, ...]:
    with contextlib.suppress(psutil.Error, AttributeError, NotImplementedError):
        counters = process.io_counters()
        return (counters.read_count, counters.write_count)
    return ()


def _stat(path: Path) -> tuple[int, int]:
    """Return size in bytes and time of change; zeros when there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
