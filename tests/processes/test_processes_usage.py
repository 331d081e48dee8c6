"""What real imports use, and a stderr that is cut while it grows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import psutil
import pytest

from hypactors.processes import MIB, cut_stderr, kill, measure
from tests.processes.lab import DEADLINE_S, eventually, import_pid, known

if TYPE_CHECKING:
    from tests.processes.lab import RunLab

pytestmark = pytest.mark.process

HOLDS_MEMORY = """
import subprocess, sys, time
hold = "import time; x = b'x' * (64 << 20); print('ready', flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", hold])
time.sleep(60)
"""
WORKS_WHEN_TOLD = """
import os, sys, time
print("ready", flush=True)
while not os.path.exists(os.environ["HYP_RUN_DIR"] + "/go"):
    time.sleep(0.01)
sum(range(20_000_000))
print("worked", flush=True)
time.sleep(60)
"""
COUNTS_ON_STDERR = """
import os, sys, time
print("ready", flush=True)
number = 0
while not os.path.exists(os.environ["HYP_RUN_DIR"] + "/stop"):
    os.write(2, b"%020d\\n" % number)
    number += 1
print("stopped", flush=True)
time.sleep(60)
"""


def test_the_memory_of_the_whole_tree_counts(lab: RunLab) -> None:
    """Contract §5.6: it is the import's child that holds it."""
    folder = lab.start(HOLDS_MEMORY)
    memory = measure(folder).memory_bytes
    assert memory is not None
    assert 64 * MIB < memory < 200 * MIB
    tree = psutil.Process(import_pid(folder)).children()
    kill(folder)
    assert lab.next_over() == folder.run_id
    assert psutil.wait_procs(tree, DEADLINE_S)[1] == []
    gone = measure(folder)
    assert gone.memory_bytes is None


def test_work_is_progress_and_waiting_is_not(lab: RunLab) -> None:
    """Contract §5.6: for an import that says nothing of its progress."""
    folder = lab.start(WORKS_WHEN_TOLD)
    (folder.path / "go").touch()
    eventually(lambda: "worked" in folder.stdout_bytes().decode().split())
    eventually(lambda: measure(folder).progress == measure(folder).progress)
    before = measure(folder)
    assert measure(folder).progress == before.progress
    assert before.stdout_bytes == len("ready\nworked\n")
    kill(folder)
    lab.next_over()


def test_a_long_stderr_keeps_its_end_while_the_import_goes_on_writing(lab: RunLab) -> None:
    folder = lab.start(COUNTS_ON_STDERR)
    path = folder.path / "stderr"
    eventually(lambda: path.stat().st_size > MIB)
    assert cut_stderr(folder)
    eventually(lambda: path.stat().st_size > 2 * 64 * 1024)
    (folder.path / "stop").touch()
    eventually(lambda: "stopped" in folder.stdout_bytes().decode().split())
    lines = path.read_bytes().splitlines()
    assert {len(line) for line in lines} == {20}, "no line is torn"
    numbers = [int(line) for line in lines]
    assert len(set(numbers)) == len(numbers)
    in_order = sum(after == before + 1 for before, after in pairwise(numbers))
    assert in_order > 64 * 1024 // 21, "what was kept, and what came after it"
    kill(folder)
    lab.next_over()


def test_a_short_stderr_is_left_alone(lab: RunLab) -> None:
    folder = lab.record("true")
    assert not cut_stderr(folder)
    (folder.path / "stderr").write_bytes(b"x" * MIB)
    assert not cut_stderr(folder)
    assert known(folder.record()).run_id == folder.run_id
