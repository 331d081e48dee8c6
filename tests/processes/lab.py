"""Test helpers: real launchers, imports that are snippets, and no child left behind.

``no_child_left`` and ``kill_9`` act on the whole process that runs the tests: one test at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import psutil
import structlog

from hypactors.processes._launch import launch
from hypactors.processes._lock import ImportLock
from hypactors.processes._runs import ProviderRuns
from hypactors.processes._watch import RunWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hypactors.paths import HypHome
    from hypactors.processes._runs import RunFolder

Known = TypeVar("Known")

DEADLINE_S = 20.0
NOW = datetime(2026, 6, 25, 12, 0, 0, tzinfo=UTC)
PR_SET_CHILD_SUBREAPER = 36

# Runs until it is killed, and says when it is there.
PATIENT = "import signal; print('ready', flush=True); signal.pause()"
# As above, but takes SIGTERM for what it is.
POLITE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print('ready', flush=True)
while True:
    signal.pause()
"""
# Has a child and a grandchild, of which the last has left the group and lost the environment.
FAMILY = """
import subprocess, sys
grandchild = "import signal; print('grandchild', flush=True); signal.pause()"
child = (
    "import signal, subprocess, sys;"
    f"subprocess.Popen([sys.executable, '-c', {grandchild!r}], env={{}}, start_new_session=True);"
    "signal.pause()"
)
print('ready', flush=True)
subprocess.Popen([sys.executable, '-c', child]).wait()
"""


def eventually(
    condition: Callable[[], object], deadline_s: float = DEADLINE_S, *, every_s: float = 0.005
) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true in time")
        time.sleep(every_s)


def known(value: Known | None) -> Known:
    """Return a value that the test knows to be there."""
    if value is None:
        raise AssertionError("it is not there")
    return value


class RunLab:
    """Runs of one provider in one home. ``over`` gets the run ids as the watch reports them."""

    def __init__(self, home: HypHome) -> None:
        self.home = home
        self.runs = ProviderRuns(home, "claude")
        self.lock_path = home.import_lock("claude")
        self.over: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.watch = RunWatch(structlog.get_logger())
        self._count = 0

    def record(self, *argv: str) -> RunFolder:
        self._count += 1
        return self.runs.new_run(
            plugin="@hypaware/claude",
            request_key="@hypaware/claude",
            argv=argv,
            since=None,
            attempt=1,
            reason="no marker",
            daemon_run_id="daemon-1",
            now=NOW + timedelta(seconds=self._count),
            token=f"{self._count:06x}",
        )

    def launch(
        self, *argv: str, environ: Mapping[str, str] = os.environ, nice: int = 0
    ) -> tuple[RunFolder, psutil.Popen]:
        """Start a run as a runner does: lock, record, launcher, and our copy closed."""
        lock = known(ImportLock.try_take(self.lock_path))
        with lock:
            folder = self.record(*argv)
            record = known(folder.record())
            return folder, launch(folder, record, environ=environ, lock=lock, nice=nice)

    def start(self, code: str, says: str = "ready") -> RunFolder:
        """Launch a snippet under watch, and return when it is known and has said its word."""
        folder, process = self.launch(sys.executable, "-c", code)
        self.watch.watch(folder, process, self.over.put)
        self.wait_until_running(folder, says)
        return folder

    def wait_until_running(self, folder: RunFolder, says: str = "ready") -> None:
        eventually(lambda: (pids := folder.pids()) is not None and pids.import_ is not None)
        eventually(lambda: says in folder.stdout_bytes().decode().split())

    def next_over(self) -> str:
        return self.over.get(timeout=DEADLINE_S)


def launcher_pid(folder: RunFolder) -> int:
    return known(folder.pids()).launcher.pid


def import_pid(folder: RunFolder) -> int:
    return known(known(folder.pids()).import_).pid


@contextlib.contextmanager
def no_child_left() -> Iterator[None]:
    """Become the parent of every orphan; fail when one is alive at the end, and reap them all.

    What was there before, such as multiprocessing's own tracker, is not ours to judge.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    left: list[str] = []
    before = set(psutil.Process().children())
    try:
        yield
    finally:
        for child in set(psutil.Process().children()) - before:
            if not is_alive(child.pid):
                continue
            with contextlib.suppress(psutil.Error):
                left.append(f"{child.pid}: {child.cmdline()}")
            for process in (*child.children(recursive=True), child):
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    process.wait(DEADLINE_S)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
    if left:
        raise AssertionError(f"children left running: {left}")


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_9(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid))
