from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from hypactors.clock import parse_iso
from hypactors.processes import ImportLock, RunState, boot_id, identify, inspect, is_free, launch
from tests.processes.lab import (
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

pytestmark = pytest.mark.process

# Becomes a launcher that inherits an ignored SIGCHLD.
UNDER_IGNORED_SIGCHLD = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
launcher = [sys.executable, '-m', 'hypactors.processes._launcher', sys.argv[1], '0']
os.execv(sys.executable, launcher)
"""
CANARY = "canary-7f3a-token"


def run_to_end(lab: RunLab, code: str, **environ: str) -> None:
    folder, process = lab.launch(sys.executable, "-c", code, environ={**os.environ, **environ})
    lab.watch.watch(folder, process, lab.over.put)
    assert lab.next_over() == folder.run_id


def last_result(lab: RunLab) -> tuple[int | None, str | None, str | None]:
    result = known(lab.runs.runs()[0].result())
    return result.exit_code, result.signal, result.launch_error


def test_import_runs_and_its_end_is_on_disk(lab: RunLab) -> None:
    """Contract §5: the files of a run, who writes them and their modes."""
    run_to_end(lab, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    [folder] = lab.runs.runs()
    assert inspect(folder) is RunState.FINISHED
    assert last_result(lab) == (3, None, None)
    assert folder.stdout_bytes() == b"out\n"
    assert folder.stderr_tail() == "err\n"
    result = known(folder.result())
    assert result.run_id == folder.run_id
    assert parse_iso(result.started_at) <= parse_iso(result.ended_at)
    for name in ("run.json", "pid.json", "result.json", "stdout", "stderr"):
        assert stat.S_IMODE((folder.path / name).stat().st_mode) == 0o600
    assert is_free(lab.lock_path)


def test_launcher_writes_down_itself_and_the_import(lab: RunLab) -> None:
    """Contract §5.4: boot id, pid and start ticks."""
    folder = lab.start(PATIENT)
    pids = known(folder.pids())
    assert pids.boot_id == boot_id()
    for written in (pids.launcher, known(pids.import_)):
        seen = known(identify(written.pid))
        assert written.start_ticks == seen.start_ticks
        assert abs(written.create_time - seen.create_time) < 2
    kill_9(import_pid(folder))
    lab.next_over()


def test_pids_are_on_disk_before_the_import_starts(lab: RunLab) -> None:
    """Contract §5: the import itself already finds its launcher's record."""
    run_to_end(
        lab, "import os; print(open(os.environ['HYP_RUN_DIR'] + '/pid.json').read().strip())"
    )
    [folder] = lab.runs.runs()
    seen = json.loads(folder.stdout_bytes())
    assert seen["launcher"]["pid"] == launcher_pid(folder)


def test_import_is_told_its_run_its_folder_and_its_lock(lab: RunLab) -> None:
    """Contract §5.1, §5.4."""
    run_to_end(
        lab,
        "import os, json; e = os.environ; print(json.dumps([e['HYP_RUN_ID'], e['HYP_RUN_DIR'],"
        " os.fstat(int(e['HYP_IMPORT_LOCK_FD'])).st_ino, e['HYP_HOME']]))",
        HYP_HOME="/forced",
    )
    [folder] = lab.runs.runs()
    run_id, run_dir, inode, home = json.loads(folder.stdout_bytes())
    assert (run_id, run_dir, home) == (folder.run_id, str(folder.path), "/forced")
    assert inode == lab.lock_path.stat().st_ino


def test_real_import_adopts_the_lock_it_inherits(lab: RunLab) -> None:
    """Contract §5.1."""
    run_to_end(
        lab,
        "import os, pathlib, sys\n"
        "from hypactors.paths import HypHome\n"
        "from hypactors.processes import ImportLock\n"
        "home = HypHome(pathlib.Path(sys.argv[1] if sys.argv[1:] else os.environ['HYP_HOME']))\n"
        "lock = ImportLock.for_import(home, 'claude', os.environ, lambda: sys.exit('waited'))\n"
        "assert str(lock.fileno()) == os.environ['HYP_IMPORT_LOCK_FD']\n",
        HYP_HOME=str(lab.home.root),
    )
    assert lab.runs.runs()[0].stderr_tail() == ""
    assert last_result(lab) == (0, None, None)


def test_import_has_its_own_group_in_a_session_of_the_launcher(lab: RunLab) -> None:
    """Contract §5.5: no double fork, so both stay descendants of ours."""
    folder = lab.start(PATIENT)
    launcher, child = launcher_pid(folder), import_pid(folder)
    assert os.getsid(launcher) == os.getsid(child) == launcher != os.getsid(0)
    assert os.getpgid(child) == child
    assert psutil.Process(launcher).ppid() == os.getpid()
    assert psutil.Process(child).ppid() == launcher
    kill_9(child)
    lab.next_over()


def test_import_is_nice_to_others(lab: RunLab) -> None:
    """Design: imports run niced, with idle I/O priority where the system has it."""
    folder, process = lab.launch(sys.executable, "-c", PATIENT, nice=7)
    lab.watch.watch(folder, process, lab.over.put)
    lab.wait_until_running(folder)
    child = psutil.Process(import_pid(folder))
    assert child.nice() == psutil.Process().nice() + 7
    if sys.platform == "linux":
        assert child.ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
        # Only some kernels group processes by session; where they do, nice alone does nothing.
        group = Path(f"/proc/{child.pid}/autogroup")
        assert not group.exists() or group.read_text().split()[-1] in {"7", ""}
    kill_9(child.pid)
    lab.next_over()


@pytest.mark.parametrize("command", ["/nonesuch/hyp", "no-such-hyp"])
def test_command_that_does_not_exist_is_a_launch_error(lab: RunLab, command: str) -> None:
    folder, process = lab.launch(command, "backfill")
    lab.watch.watch(folder, process, lab.over.put)
    lab.next_over()
    exit_code, signal_name, launch_error = last_result(lab)
    assert (exit_code, signal_name) == (None, None)
    assert known(launch_error).startswith("ENOENT: No such file or directory: ")
    assert command in known(launch_error)
    assert inspect(folder) is RunState.FINISHED
    assert known(folder.pids()).import_ is None


@pytest.mark.parametrize(
    "record", [b"", b"{", b"[]", b'{"argv":[]}', b'{"argv":["a\\u0000b"]}', b'{"argv":[1]}', None]
)
def test_unusable_run_record_is_a_launch_error(lab: RunLab, record: bytes | None) -> None:
    folder = lab.record("hyp")
    if record is None:
        (folder.path / "run.json").unlink()
    else:
        (folder.path / "run.json").write_bytes(record)
    subprocess.run(
        [sys.executable, "-m", "hypactors.processes._launcher", str(folder.path), "0"], check=True
    )
    assert known(folder.result()).exit_code is None
    assert known(folder.result()).launch_error


def test_import_that_was_killed_leaves_the_name_of_the_signal(lab: RunLab) -> None:
    """Contract §5: the launcher writes the result of an import that could not."""
    folder = lab.start(PATIENT)
    kill_9(import_pid(folder))
    assert lab.next_over() == folder.run_id
    assert last_result(lab) == (None, "SIGKILL", None)
    assert inspect(folder) is RunState.FINISHED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_launcher_forwards_a_signal_and_takes_the_result(lab: RunLab, number: int) -> None:
    """Contract §5.5."""
    folder = lab.start(
        "import signal, sys\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()\n"
    )
    os.kill(launcher_pid(folder), number)
    lab.next_over()
    assert last_result(lab) == (7, None, None)


def test_signal_that_comes_before_the_import_is_there_reaches_it(lab: RunLab) -> None:
    """Contract §5.5: nothing is lost between the start of the launcher and of the import."""
    with known(ImportLock.try_take(lab.lock_path)) as lock:
        folder = lab.record(sys.executable, "-c", PATIENT)
        record = known(folder.record())
        path = folder.path / "run.json"
        content = path.read_bytes()
        path.unlink()
        os.mkfifo(path)  # holds the launcher up where it is about to start the import
        process = launch(folder, record, environ=os.environ, lock=lock, nice=0)
    lab.watch.watch(folder, process, lab.over.put)
    with path.open("wb") as stream:  # returns when the launcher has opened the other end
        process.send_signal(signal.SIGTERM)
        stream.write(content)
    lab.next_over()
    assert last_result(lab) == (None, "SIGTERM", None)


def test_signal_reaches_the_whole_group_of_the_import(lab: RunLab) -> None:
    """Contract §5.5."""
    folder = lab.start(
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {POLITE!r}])\n"
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "sys.exit(10 + child.wait())\n"
    )
    os.kill(launcher_pid(folder), signal.SIGTERM)
    lab.next_over()
    assert last_result(lab) == (17, None, None)


def test_inherited_dispositions_and_masks_are_reset(lab: RunLab) -> None:
    """Contract §5.5: a daemon under nohup, or one that blocks signals, makes nobody immune."""
    ignored = (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2})
    try:
        run_to_end(
            lab,
            "import signal\n"
            "assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())\n"
            "names = {s for s in signal.valid_signals() if signal.getsignal(s) is signal.SIG_IGN}\n"
            "assert names <= {signal.SIGPIPE, signal.SIGXFSZ}, names\n",
        )
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGUSR2})
        for number, handler in before.items():
            signal.signal(number, handler)
    assert lab.runs.runs()[0].stderr_tail() == ""
    assert last_result(lab) == (0, None, None)


def test_launcher_knows_the_exit_status_although_sigchld_was_ignored(lab: RunLab) -> None:
    """Contract §5.5: with SIGCHLD ignored the system would reap the import by itself."""
    folder = lab.record(sys.executable, "-c", "raise SystemExit(5)")
    subprocess.run(
        [
            sys.executable,
            "-c",
            UNDER_IGNORED_SIGCHLD,
            str(folder.path),
        ],
        check=True,
    )
    assert known(folder.result()).exit_code == 5


def test_what_the_import_leaves_behind_in_its_group_ends_with_the_run(lab: RunLab) -> None:
    """Design: no orphan is left behind, or the lock could stay held for ever."""
    run_to_end(
        lab,
        "import subprocess, sys, os\n"
        "lock = int(os.environ['HYP_IMPORT_LOCK_FD'])\n"
        f"print(subprocess.Popen([sys.executable, '-c', {PATIENT!r}], pass_fds=[lock],"
        " stdout=subprocess.DEVNULL).pid)\n",
    )
    orphan = int(lab.runs.runs()[0].stdout_bytes())
    eventually(lambda: not is_alive(orphan))
    assert is_free(lab.lock_path)


def test_two_launches_cannot_hold_one_lock(lab: RunLab) -> None:
    """Contract §5.1: never two imports of one provider."""
    folder = lab.start(PATIENT)
    assert ImportLock.try_take(lab.lock_path) is None
    kill_9(launcher_pid(folder))
    assert ImportLock.try_take(lab.lock_path) is None, "the import holds it still"
    kill_9(import_pid(folder))
    lab.next_over()
    known(ImportLock.try_take(lab.lock_path)).close()


def test_lock_taken_by_two_threads_goes_to_one(lab: RunLab) -> None:
    taken: list[ImportLock | None] = []
    start = threading.Barrier(8)

    def take() -> None:
        start.wait()
        taken.append(ImportLock.try_take(lab.lock_path))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [holder] = [lock for lock in taken if lock is not None]
    holder.close()


def test_secret_of_the_environment_is_never_in_argv_or_on_disk(lab: RunLab) -> None:
    """Contract §9, §11: no process that we start carries a secret in argv."""
    environ = {**os.environ, "HYP_TOKEN": CANARY}
    folder, process = lab.launch(sys.executable, "-c", PATIENT, environ=environ)
    lab.watch.watch(folder, process, lab.over.put)
    lab.wait_until_running(folder)
    for pid in (launcher_pid(folder), import_pid(folder)):
        assert CANARY in psutil.Process(pid).environ().values(), "the search must find it"
        assert not any(CANARY in word for word in psutil.Process(pid).cmdline())
    assert not any(CANARY.encode() in path.read_bytes() for path in folder.path.iterdir())
    kill_9(import_pid(folder))
    lab.next_over()
