from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from hypactors.processes import ImportLock, RunState, RunWatch, inspect, is_free
from hypactors.processes import _watch as watch_module
from tests.processes.lab import (
    DEADLINE_S,
    PATIENT,
    RunLab,
    eventually,
    import_pid,
    is_alive,
    kill_9,
    known,
    launcher_pid,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

OPEN_DESCRIPTORS = Path("/proc/self/fd")

# A daemon that starts a run and is then killed.
DAEMON = """
import os, pathlib, signal, sys
from hypactors.paths import HypHome
from hypactors.processes import RunWatch
from tests.processes.lab import PATIENT, RunLab
lab = RunLab(HypHome(pathlib.Path(sys.argv[1])))
folder = lab.start(PATIENT)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def fresh_watch() -> Iterator[RunWatch]:
    """Give a watch that did not start what it watches, as after a restart of the daemon."""
    watch = RunWatch(structlog.get_logger())
    yield watch
    watch.close()
    assert not watch._thread.is_alive()


def test_import_goes_on_without_its_launcher_and_its_end_is_seen(lab: RunLab) -> None:
    """Contract §5.2: launcher dead, import alive: watch the import."""
    folder = lab.start(PATIENT)
    kill_9(launcher_pid(folder))
    assert inspect(folder) is RunState.IMPORT_ONLY
    assert is_alive(import_pid(folder))
    assert lab.watch.live() == [folder.run_id]
    assert lab.over.empty()
    if hasattr(os, "pidfd_open"):  # the end will be an event, not something looked for
        watched = lab.watch._watched[folder.run_id]
        eventually(lambda: watched._pid_of_descriptor == import_pid(folder))
    kill_9(import_pid(folder))
    assert lab.next_over() == folder.run_id
    assert inspect(folder) is RunState.INTERRUPTED


def test_import_alone_can_finish_its_work(lab: RunLab) -> None:
    """Contract §5.2: its stdout tells, as nobody writes a result."""
    folder = lab.start(
        "import signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('{\"providers\":[]}', flush=True))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    kill_9(launcher_pid(folder))
    os.kill(import_pid(folder), signal.SIGTERM)
    assert lab.next_over() == folder.run_id
    assert folder.stdout_bytes() == b'ready\n{"providers":[]}\n'
    assert folder.result() is None


def test_run_whose_launcher_and_import_were_killed_is_interrupted(lab: RunLab) -> None:
    """Contract §5.2."""
    folder = lab.start(PATIENT)
    os.kill(launcher_pid(folder), signal.SIGKILL)
    os.kill(import_pid(folder), signal.SIGKILL)
    assert lab.next_over() == folder.run_id
    assert inspect(folder) is RunState.INTERRUPTED
    assert is_free(lab.lock_path)


def test_launcher_is_reaped_and_the_lock_is_free_when_the_end_is_told(lab: RunLab) -> None:
    """Contract §5.5: no zombie is left behind."""
    folder, process = lab.launch(sys.executable, "-c", "pass")
    seen: queue.SimpleQueue[tuple[bool, bool]] = queue.SimpleQueue()
    lab.watch.watch(
        folder, process, lambda _: seen.put((process.is_running(), is_free(lab.lock_path)))
    )
    assert seen.get(timeout=DEADLINE_S) == (False, True)
    assert process.returncode == 0
    assert lab.watch.live() == []


def test_run_of_a_killed_daemon_is_adopted(lab: RunLab, fresh_watch: RunWatch) -> None:
    """Contract §5.2, design: a daemon SIGKILL leaves the import alone."""
    daemon = subprocess.run(
        [sys.executable, "-c", DAEMON, str(lab.home.root)], check=False, timeout=DEADLINE_S
    )
    assert daemon.returncode == -signal.SIGKILL
    [folder] = lab.runs.unsettled()
    assert inspect(folder) is RunState.RUNNING
    fresh_watch.watch(folder, None, lab.over.put)
    assert fresh_watch.live() == [folder.run_id]
    assert lab.over.empty()
    kill_9(import_pid(folder))
    # The launcher is an orphan that nobody reaps: as a zombie it counts as gone.
    assert lab.next_over() == folder.run_id
    assert known(folder.result()).signal == "SIGKILL"


def test_adopted_run_without_a_launcher_is_watched(lab: RunLab, fresh_watch: RunWatch) -> None:
    """Contract §5.2."""
    folder = lab.start(PATIENT)
    lab.watch.close()
    kill_9(launcher_pid(folder))
    fresh_watch.watch(folder, None, lab.over.put)
    kill_9(import_pid(folder))
    assert lab.next_over() == folder.run_id


def test_adopted_run_that_is_over_is_told_at_once(lab: RunLab, fresh_watch: RunWatch) -> None:
    """Contract §5.2: a result that nobody settled is replayed."""
    folder, process = lab.launch(sys.executable, "-c", "pass")
    lab.watch.watch(folder, process, lab.over.put)
    lab.next_over()
    fresh_watch.watch(folder, None, lab.over.put)
    assert lab.next_over() == folder.run_id


def test_adopted_run_that_is_still_starting_is_waited_for(
    lab: RunLab, fresh_watch: RunWatch
) -> None:
    """Contract §5.2: lock held and no ``pid.json``."""
    with known(ImportLock.try_take(lab.lock_path)):
        folder = lab.record("hyp")
        fresh_watch.watch(folder, None, lab.over.put)
        assert fresh_watch.live() == [folder.run_id]
        assert lab.over.empty()
    assert lab.next_over() == folder.run_id
    assert inspect(folder) is RunState.INTERRUPTED


def test_watching_again_replaces_the_callback_and_starts_no_second_reaper(lab: RunLab) -> None:
    """Design: a runner that crashes is restarted and re-attaches."""
    folder = lab.start(PATIENT)
    threads = threading.active_count()
    second: queue.SimpleQueue[str] = queue.SimpleQueue()
    lab.watch.watch(folder, None, second.put)
    assert lab.watch.live() == [folder.run_id]
    assert threading.active_count() == threads
    kill_9(import_pid(folder))
    assert second.get(timeout=DEADLINE_S) == folder.run_id
    assert known(folder.result()).signal == "SIGKILL"
    lab.watch.close()
    assert lab.over.empty()
    assert second.empty()


def test_callback_that_raises_does_not_end_the_watch(lab: RunLab) -> None:
    first, process = lab.launch(sys.executable, "-c", "pass")
    called = threading.Event()

    def fail(run_id: str) -> None:
        called.set()
        raise RuntimeError(run_id)

    lab.watch.watch(first, process, fail)
    assert called.wait(DEADLINE_S)
    second, process = lab.launch(sys.executable, "-c", "pass")
    lab.watch.watch(second, process, lab.over.put)
    assert lab.next_over() == second.run_id


def test_a_look_that_fails_is_repeated(lab: RunLab, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [OSError("too many open files"), OSError("input/output error")]

    def sick_inspect(folder: object) -> RunState:
        if failures:
            raise failures.pop()
        return inspect(folder)  # type: ignore[arg-type]

    monkeypatch.setattr(watch_module, "inspect", sick_inspect)
    folder, process = lab.launch(sys.executable, "-c", "pass")
    lab.watch.watch(folder, process, lab.over.put)
    assert lab.next_over() == folder.run_id
    assert failures == []


def test_without_pidfds_the_end_is_found_by_looking(
    lab: RunLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    folder = lab.start(PATIENT)
    kill_9(launcher_pid(folder))
    kill_9(import_pid(folder))
    assert lab.next_over() == folder.run_id


def test_closing_ends_the_thread_and_leaves_the_processes_alone(lab: RunLab) -> None:
    folder = lab.start(PATIENT)
    lab.watch.close()
    assert "run-watch" not in [thread.name for thread in threading.enumerate()]
    assert is_alive(launcher_pid(folder))
    assert is_alive(import_pid(folder))
    kill_9(import_pid(folder))
    eventually(lambda: not is_alive(launcher_pid(folder)))
    assert lab.over.empty()
    lab.watch.close()
    with pytest.raises(RuntimeError, match="closed"):
        lab.watch.watch(folder, None, lab.over.put)


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_closing_leaves_no_descriptor_open(lab: RunLab) -> None:
    folder = lab.start(PATIENT)
    before = len(list(OPEN_DESCRIPTORS.iterdir()))
    watch = RunWatch(structlog.get_logger())
    watch.watch(folder, None, lab.over.put)
    eventually(lambda: watch._watched[folder.run_id].descriptor is not None)
    watch.close()
    assert len(list(OPEN_DESCRIPTORS.iterdir())) == before
    kill_9(import_pid(folder))
    lab.next_over()


def test_ten_runs_end_on_one_thread(lab: RunLab) -> None:
    threads = threading.active_count()
    started = []
    for number in range(10):
        provider_lab = RunLab(lab.home)
        provider_lab.watch.close()
        provider_lab.lock_path = lab.home.import_lock(f"provider-{number}")
        provider_lab.runs = type(lab.runs)(lab.home, f"provider-{number}")
        provider_lab._count = number
        folder, process = provider_lab.launch(sys.executable, "-c", "pass")
        lab.watch.watch(folder, process, lab.over.put)
        started.append(folder.run_id)
    assert threading.active_count() == threads
    assert sorted(lab.next_over() for _ in started) == sorted(started)
    assert lab.over.empty()
