"""The small process between a daemon and an import: it notes who they are and how it ended.

``python -m hypactors.processes._launcher <run folder>``, started by ``launch``. It outlives
the daemon, so that no result is lost, and it stays small: standard library, nothing heavy.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.files import write_atomic
from hypactors.processes import _names, _procfs

if TYPE_CHECKING:
    from types import FrameType

FORWARDED = (signal.SIGTERM, signal.SIGINT)
# Python sets these two for itself and counts on it; the import gets the default all the same.
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
NOT_SETTABLE = {signal.SIGKILL, signal.SIGSTOP}


def main(argv: list[str]) -> int:
    run_dir = Path(argv[0])
    started_at = time.time()
    reset_signals()
    status: int | None = None
    launch_error: str | None = None
    try:
        command = read_command(run_dir)
        launcher = describe(os.getpid(), started_at)
        write_pids(run_dir, launcher, None)
        pid = start_import(command, run_dir)
    except (OSError, ValueError) as error:
        launch_error = describe_error(error)
    else:
        # A full disk must not end the watch over an import that runs.
        with contextlib.suppress(OSError):
            write_pids(run_dir, launcher, describe(pid, time.time()))
        status = wait_for(pid)
    write_result(run_dir, status, launch_error, started_at)
    return 0


def describe_error(error: OSError | ValueError) -> str:
    """Return what an operator searches for: the system's name of the error, then the rest."""
    if isinstance(error, OSError) and error.errno is not None:
        name = errno.errorcode.get(error.errno, f"errno {error.errno}")
        return f"{name}: {error.strerror}: {error.filename}"
    return str(error)


def reset_signals() -> None:
    """Undo what we inherited, but keep the signals that we forward blocked for now.

    A daemon under ``nohup``, or one that ignores SIGCHLD, must not make its imports immune or
    their exit status unknown. A signal that arrives before the import runs waits for it.
    """
    for number in signal.valid_signals() - NOT_SETTABLE - set(IGNORED_BY_PYTHON):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, FORWARDED)


def read_command(run_dir: Path) -> list[str]:
    """Return the import's argv from ``run.json``. Raises ``OSError`` or ``ValueError``."""
    record = json.loads((run_dir / _names.RUN_FILE).read_bytes())
    command = record.get("argv") if isinstance(record, dict) else None
    if not isinstance(command, list) or not command:
        raise ValueError("run.json has no argv")
    if not all(isinstance(word, str) and "\0" not in word for word in command):
        raise ValueError("run.json has an argv that is no list of words")
    return command


def start_import(command: list[str], run_dir: Path) -> int:
    """Start the import in its own process group, with signals as a fresh process has them."""
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    stdout = os.open(run_dir / _names.STDOUT_FILE, output, 0o600)
    stderr = os.open(run_dir / _names.STDERR_FILE, output, 0o600)
    try:
        # Our stdin is the null device, and the lock is inheritable because we inherited it.
        return os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, stdout, 1),
                (os.POSIX_SPAWN_DUP2, stderr, 2),
            ],
            setpgroup=0,
            setsigmask=(),
            setsigdef=signal.valid_signals() - NOT_SETTABLE,
        )
    finally:
        os.close(stdout)
        os.close(stderr)


def wait_for(pid: int) -> int:
    """Wait for the end of the import, forwarding signals to its group; return its wait status.

    What the import leaves behind in its group is killed: when a run is over, nothing of it runs.
    """

    def forward(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    if hasattr(os, "waitid"):
        # Unreaped, it keeps its pid and so its group from being anybody else's.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    return status


def describe(pid: int, create_time: float) -> dict[str, Any]:
    """Return a process's identity; the wall clock is near enough where there are no ticks."""
    return {"pid": pid, "start_ticks": _procfs.start_ticks(pid), "create_time": create_time}


def write_pids(run_dir: Path, launcher: dict[str, Any], child: dict[str, Any] | None) -> None:
    pids = {"v": 1, "boot_id": _procfs.boot_id(), "launcher": launcher, "import": child}
    write_json(run_dir / _names.PID_FILE, pids)


def write_result(
    run_dir: Path, status: int | None, launch_error: str | None, started_at: float
) -> None:
    exit_code = None if status is None else os.waitstatus_to_exitcode(status)
    killed = exit_code is not None and exit_code < 0
    write_json(
        run_dir / _names.RESULT_FILE,
        {
            "v": 1,
            "run_id": run_dir.name,
            "exit_code": None if killed else exit_code,
            "signal": signal_name(-exit_code) if killed and exit_code is not None else None,
            "started_at": iso_ms(started_at),
            "ended_at": iso_ms(time.time()),
            "launch_error": launch_error,
        },
    )


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal between the two that have names
        return f"SIG{number}"


def iso_ms(moment: float) -> str:
    """Return what ``hypactors.clock.iso_ms`` would, without the cost of importing it."""
    seconds, milliseconds = divmod(int(moment * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}Z"


def write_json(path: Path, value: dict[str, Any]) -> None:
    # An error text may hold a file name that is no UTF-8; what reads this wants strict JSON.
    write_atomic(path, json.dumps(value, ensure_ascii=False).encode(errors="replace") + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
