from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.processes import (
    ProcessIdentity,
    boot_id,
    carries_run_id,
    identify,
    is_running,
)
from hypactors.processes._identity import inherits_run_id
from hypactors.processes._procfs import parse_start_ticks, start_ticks
from tests.processes.lab import known

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN_ID = "20260625T120000Z-00000a"
TAIL = b" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21\n"

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which is Linux's")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that belongs to a run by its environment alone."""
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"HYP_RUN_ID": RUN_ID},
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child


def me() -> ProcessIdentity:
    return known(identify(os.getpid()))


def test_a_process_is_itself() -> None:
    assert is_running(me(), boot_id())
    assert is_running(me(), None)


@linux_only
@pytest.mark.parametrize("name", [b"hyp", b"a b", b"x) S 1 (y", b") Z 1", b"", b"\xff)"])
def test_start_ticks_are_read_whatever_the_process_is_called(name: bytes) -> None:
    """Contract §5.4."""
    assert parse_start_ticks(b"77 (" + name + b") S" + TAIL) == 4242


@given(name=st.binary(max_size=16), state=st.sampled_from([b"R", b"S", b"D", b"T", b"I"]))
@settings(max_examples=50)
def test_no_process_name_can_hide_the_start_ticks(name: bytes, state: bytes) -> None:
    assert parse_start_ticks(b"77 (" + name + b") " + state + TAIL) == 4242


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_in_the_place_of_a_stat_line_are_survived(content: bytes) -> None:
    parse_start_ticks(content)


@pytest.mark.parametrize("state", [b"Z", b"X", b"x"])
def test_a_dead_process_has_no_start_ticks(state: bytes) -> None:
    assert parse_start_ticks(b"77 (hyp) " + state + TAIL) is None


@linux_only
def test_reused_pid_is_not_running() -> None:
    """Contract §5.4: the same pid with other start ticks is another process."""
    identity = me()
    other = msgspec.structs.replace(identity, start_ticks=known(identity.start_ticks) - 1)
    assert not is_running(other, boot_id())


@linux_only
def test_start_ticks_decide_even_when_the_clock_was_set() -> None:
    """Contract §5.4: psutil's create time moves with the clock."""
    identity = msgspec.structs.replace(me(), create_time=0.0)
    assert is_running(identity, boot_id())


def test_process_of_an_earlier_boot_is_not_running() -> None:
    """Contract §5.4."""
    assert not is_running(me(), "00000000-0000-0000-0000-000000000000")


@pytest.mark.parametrize(
    ("off_by_s", "runs"), [(0.0, True), (1.9, True), (-1.9, True), (2.5, False), (-2.5, False)]
)
def test_without_start_ticks_the_create_time_decides(*, off_by_s: float, runs: bool) -> None:
    """Contract §5.4: ± 2 s."""
    identity = me()
    seen = ProcessIdentity(
        pid=identity.pid, start_ticks=None, create_time=identity.create_time + off_by_s
    )
    assert is_running(seen, None) is runs


@pytest.mark.process
def test_zombie_counts_as_gone(sleeper: subprocess.Popen[bytes]) -> None:
    """Contract §5, style: a zombie is gone."""
    identity = known(identify(sleeper.pid))
    by_time = msgspec.structs.replace(identity, start_ticks=None)
    assert is_running(identity, boot_id())
    assert is_running(by_time, None)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, but not reaped
    assert not is_running(identity, boot_id())
    assert not is_running(by_time, None)
    assert identify(sleeper.pid) is None
    assert start_ticks(sleeper.pid) is None


@pytest.mark.process
def test_process_that_was_reaped_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    identity = known(identify(sleeper.pid))
    sleeper.kill()
    sleeper.wait()
    assert not is_running(identity, boot_id())
    assert identify(sleeper.pid) is None
    assert not carries_run_id(sleeper.pid, RUN_ID)


@pytest.mark.process
def test_run_id_is_found_in_the_environment(sleeper: subprocess.Popen[bytes]) -> None:
    """Contract §5.4."""
    assert carries_run_id(sleeper.pid, RUN_ID)
    assert inherits_run_id(sleeper.pid, RUN_ID)
    assert not carries_run_id(sleeper.pid, "20260625T120000Z-00000b")


@pytest.mark.process
def test_run_id_in_argv_identifies_but_does_not_make_a_process_part_of_a_run() -> None:
    """Contract §5.4: a pager that shows a file of the run is nobody to be killed with it."""
    pager = [sys.executable, "-c", "print(flush=True); input()", f"/runs/claude/{RUN_ID}/stderr"]
    with subprocess.Popen(pager, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert carries_run_id(child.pid, RUN_ID)
        assert not inherits_run_id(child.pid, RUN_ID)
        child.kill()


@pytest.mark.parametrize("pid", [-1, 2**31 - 1, 2**70])
def test_impossible_pid_is_nobody(pid: int) -> None:
    assert identify(pid) is None
    assert not carries_run_id(pid, RUN_ID)
