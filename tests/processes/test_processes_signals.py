from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from hypactors.processes import (
    PidRecord,
    RunState,
    boot_id,
    identify,
    inspect,
    is_free,
    kill,
    terminate,
)
from tests.processes.lab import (
    FAMILY,
    PATIENT,
    POLITE,
    RunLab,
    eventually,
    import_pid,
    is_alive,
    kill_9,
    known,
    launcher_pid,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypactors.processes import RunFolder

pytestmark = pytest.mark.process


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that has nothing to do with any run."""
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child


def test_terminate_asks_the_import_by_way_of_its_launcher(lab: RunLab) -> None:
    """Contract §5.5."""
    folder = lab.start(POLITE)
    assert terminate(folder)
    assert lab.next_over() == folder.run_id
    assert known(folder.result()).exit_code == 7
    assert not terminate(folder)


def test_terminate_asks_the_import_itself_when_the_launcher_is_dead(lab: RunLab) -> None:
    folder = lab.start(POLITE)
    kill_9(launcher_pid(folder))
    assert terminate(folder)
    lab.next_over()
    assert not terminate(folder)


def test_terminate_finds_a_run_that_has_no_pids_yet(lab: RunLab) -> None:
    """Contract §5.4: by the run id in the environment."""
    folder = lab.start(PATIENT)
    (folder.path / "pid.json").unlink()
    assert terminate(folder)
    assert lab.next_over() == folder.run_id


def test_kill_reaches_the_whole_tree(lab: RunLab) -> None:
    """Contract §5.5: also a grandchild that left the group and lost the environment."""
    folder = lab.start(FAMILY, says="grandchild")
    tree = psutil.Process(launcher_pid(folder)).children(recursive=True)
    assert len(tree) == 3
    assert kill(folder)
    lab.next_over()
    eventually(lambda: not any(is_alive(process.pid) for process in tree))
    assert is_free(lab.lock_path)
    assert not kill(folder)


def test_killed_run_was_interrupted_and_has_not_failed(lab: RunLab) -> None:
    """Contract §5.3: our own SIGKILL is no result of the import."""
    for _ in range(5):
        folder = lab.start(PATIENT)
        assert kill(folder)
        lab.next_over()
        assert folder.result() is None
        assert inspect(folder) is RunState.INTERRUPTED


def test_kill_without_a_launcher_reaches_the_tree(lab: RunLab) -> None:
    folder = lab.start(FAMILY, says="grandchild")
    tree = psutil.Process(launcher_pid(folder)).children(recursive=True)
    kill_9(launcher_pid(folder))
    assert kill(folder)
    lab.next_over()
    eventually(lambda: not any(is_alive(process.pid) for process in tree))
    assert inspect(folder) is RunState.INTERRUPTED


def test_kill_sweeps_up_what_a_dead_import_left_behind(lab: RunLab) -> None:
    """Contract §5.1: a worker that kept the lock would block the provider for ever."""
    folder = lab.start(
        "import os, subprocess, sys\n"
        "lock = int(os.environ['HYP_IMPORT_LOCK_FD'])\n"
        f"subprocess.Popen([sys.executable, '-c', {PATIENT!r}], pass_fds=[lock]).wait()\n"
    )
    kill_9(launcher_pid(folder))
    kill_9(import_pid(folder))
    assert lab.next_over() == folder.run_id
    assert not is_free(lab.lock_path)
    assert kill(folder)
    eventually(lambda: is_free(lab.lock_path))


def test_kill_finds_a_run_that_has_no_pids_yet(lab: RunLab) -> None:
    """Contract §5.4: by the run id in the environment."""
    folder = lab.start(PATIENT)
    pids = known(folder.pids())
    (folder.path / "pid.json").write_bytes(b"{torn")
    assert kill(folder)
    assert lab.next_over() == folder.run_id
    assert not is_alive(pids.launcher.pid)
    assert not is_alive(known(pids.import_).pid)


@pytest.mark.parametrize("end", [terminate, kill])
def test_process_that_does_not_carry_the_run_id_is_not_signalled(
    lab: RunLab,
    stranger: subprocess.Popen[bytes],
    end: Callable[[RunFolder], bool],
) -> None:
    """Contract §5.4: not even when pid and start time fit."""
    folder = lab.record("hyp")
    somebody = known(identify(stranger.pid))
    folder.write_pids(PidRecord(boot_id=boot_id(), launcher=somebody, import_=somebody))
    assert not end(folder)
    assert stranger.poll() is None


@pytest.mark.parametrize("end", [terminate, kill])
def test_process_with_a_reused_pid_is_not_signalled(
    lab: RunLab, end: Callable[[RunFolder], bool]
) -> None:
    """Contract §5.4: the run id of another run is in it, as its pid was reused by that run."""
    folder = lab.start(PATIENT)
    pids = known(folder.pids())
    earlier = lab.record("hyp")
    reused = msgspec.structs.replace(pids.launcher, start_ticks=1, create_time=1.0)
    earlier.write_pids(PidRecord(boot_id=boot_id(), launcher=reused, import_=reused))
    assert not end(earlier)
    assert inspect(folder) is RunState.RUNNING
    kill_9(pids.launcher.pid)
    kill_9(known(pids.import_).pid)
    lab.next_over()


@pytest.mark.parametrize("end", [terminate, kill])
def test_pager_with_a_reused_pid_is_not_signalled(
    lab: RunLab, end: Callable[[RunFolder], bool]
) -> None:
    """Contract §5.4: the run id alone is not enough either."""
    folder = lab.record("hyp")
    pager = [sys.executable, "-c", "print(flush=True); input()", str(folder.path / "stderr")]
    with subprocess.Popen(pager, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        somebody = known(identify(child.pid))
        reused = msgspec.structs.replace(somebody, start_ticks=1, create_time=1.0)
        folder.write_pids(PidRecord(boot_id=boot_id(), launcher=reused, import_=reused))
        assert not end(folder)
        assert child.poll() is None
        child.kill()


def test_stopped_launcher_is_killed_with_its_import(lab: RunLab) -> None:
    """Contract §5.5: the launcher goes last, but it goes."""
    folder = lab.start(PATIENT)
    os.kill(launcher_pid(folder), signal.SIGSTOP)
    assert kill(folder)
    assert lab.next_over() == folder.run_id
    assert inspect(folder) is RunState.INTERRUPTED


def test_stopped_import_is_killed_all_the_same(lab: RunLab) -> None:
    folder = lab.start(PATIENT)
    os.kill(import_pid(folder), signal.SIGSTOP)
    assert kill(folder)
    assert lab.next_over() == folder.run_id
