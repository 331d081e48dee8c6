"""Processes that read: the same frames in the same order, and an end whatever happens."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hypactors.errors import ImportRunError
from hypactors.importing import _frames, _workers
from hypactors.importing._workers import read_alone, read_with_workers, tasks_of, worker_count
from hypactors.processes import WORKERS_VARIABLE
from tests.e2e.machine import eventually
from tests.importing.notebook import Desk, entry
from tests.importing.test_importing_frames import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from hypactors.importing._frames import Frame
    from hypactors.importing._workers import Task

pytestmark = [
    pytest.mark.process,
    # Python says so of any process with threads, and Arrow has some; it knows of forks.
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

MB = 1 << 20


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frames, "FRAME_ROWS", 3)
    monkeypatch.setattr(_workers, "_TASK_BYTES", 500)


@pytest.fixture(autouse=True)
def others() -> Iterator[list[psutil.Process]]:
    """Check that whatever a test does, no process and no thread of it outlives it.

    Gives what was there before, such as multiprocessing's own tracker.
    """
    threads, before = set(threading.enumerate()), psutil.Process().children(recursive=True)
    yield before
    assert psutil.Process().children(recursive=True) == before
    assert set(threading.enumerate()) <= threads


def write(desk: Desk, sizes: Sequence[int]) -> None:
    for path in desk.folder.iterdir():
        path.unlink()
    for number, size in enumerate(sizes):
        name = f"{number:03d}"
        desk.write(name, *(entry(f"{name}-{row}", session=f"s{row % 2}") for row in range(size)))


def sizes_of(sources: Sequence[Path]) -> list[int]:
    return [path.stat().st_size for path in sources]


def begin(
    desk: Desk, count: int, in_worker: Callable[[], None] = lambda: None
) -> AbstractContextManager[Iterator[tuple[Task, Frame]]]:
    reading = Reading(desk)
    sources = reading.scan.sources
    return read_with_workers(
        reading.reader, sources, sizes_of(sources), count=count, in_worker=in_worker
    )


def plain(frames: Iterator[tuple[Task, Frame]]) -> list[Any]:
    return [
        (task, None if rows is None else rows.to_pylist(), note) for task, (rows, note) in frames
    ]


@given(st.lists(st.integers(0, 12), max_size=8), st.integers(1, 3))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_workers_make_the_same_frames_and_those_of_a_task_in_their_order(
    desk: Desk, sizes: list[int], count: int
) -> None:
    write(desk, sizes)
    reading = Reading(desk)
    sources = reading.scan.sources
    alone = plain(read_alone(reading.reader, sources, sizes_of(sources)))
    with begin(desk, count) as frames:
        by_workers = plain(frames)
    assert sorted(by_workers, key=lambda frame: frame[0]) == alone


def test_the_order_is_the_same_on_each_run(desk: Desk) -> None:
    """Else the numbers of the rows, and with them every later batch, would be of chance."""
    write(desk, [9, 1, 30, 4, 4, 12, 1, 1, 8, 20])
    orders = []
    for _ in range(3):
        with begin(desk, 2) as frames:
            orders.append([task for task, _ in frames])
    assert orders[0] == orders[1] == orders[2] != sorted(orders[0])


@given(st.lists(st.integers(0, 2000), max_size=30), st.integers(1, 3))
def test_each_task_is_given_to_one_worker_and_none_gets_much_more(
    sizes: list[int], count: int
) -> None:
    shares = _workers.shares_of(sizes, count)
    assert len(shares) == count
    assert all(share == sorted(share) for share in shares)
    assert sorted(task for share in shares for task in share) == [*tasks_of(sizes)]
    given = [sum(sum(sizes[slice(*task)]) for task in share) for share in shares]
    largest = max((sum(sizes[slice(*task)]) for task in tasks_of(sizes)), default=0)
    assert max(given) - min(given) <= largest


@given(st.lists(st.integers(0, 1000), max_size=30))
def test_the_files_are_divided_in_their_order_and_none_is_left_out(sizes: list[int]) -> None:
    tasks = [*tasks_of(sizes)]
    assert [index for begin, end in tasks for index in range(begin, end)] == [*range(len(sizes))]
    for begin, end in tasks:
        assert begin < end
        assert sum(sizes[begin:end]) <= _workers._TASK_BYTES or any(
            size > _workers._TASK_BYTES for size in sizes[begin:end]
        )


def test_rows_of_any_size_come_through_the_pipe(desk: Desk) -> None:
    text = "ü" * (2 * MB)
    desk.write("a", entry("1", text=text), entry("2"))
    with begin(desk, 1) as frames:
        made = plain(frames)
    assert [row["content_text"] for _, rows, _ in made for row in rows or []] == [text, "2"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_is_killed_fails_the_import_and_names_the_signal(
    desk: Desk, count: int
) -> None:
    write(desk, [5, 5])
    desk.write("010", entry("x"), entry("y", deed="die"))
    with begin(desk, count) as frames:
        before = [*itertools.islice(frames, 4)]
        assert sum(len(frame.note.ended) for _, frame in before) == 2
        with pytest.raises(ImportRunError, match=r"^a worker of .* ended early \(signal 9\)$"):
            next(frames)


def test_a_worker_that_is_killed_with_half_a_row_in_the_pipe(desk: Desk) -> None:
    desk.write("a", entry("1", text="x" * (8 * MB)))
    reading = Reading(desk)
    worker = _workers._Worker.fork(reading.reader, reading.scan.sources, [(0, 1)], lambda: None, [])
    child = psutil.Process(worker._process.pid or -1)
    note = worker._pipe.recv_bytes()
    assert note
    # More than the pipe holds: it can only be in the middle of writing it.
    eventually(lambda: child.status() == psutil.STATUS_SLEEPING)
    worker._pipe.recv_bytes()
    worker.kill()
    eventually(lambda: child.status() == psutil.STATUS_ZOMBIE)
    with pytest.raises((EOFError, ConnectionResetError)):
        [*pa.ipc.open_stream(pa.PythonFile(_workers.PipeFile(worker._pipe.fileno()), "r"))]
    worker.close()


def test_a_provider_that_raises_is_quoted(desk: Desk) -> None:
    desk.write("a", *(entry(f"a{number}") for number in range(4)), entry("no way", deed="raise"))
    with begin(desk, 2) as frames:
        _, first = next(frames)
        assert first.rows is not None
        assert first.rows.num_rows == 3
        _, rest = next(frames)
        assert rest.rows is not None
        assert rest.rows.num_rows == 1, "what came before it"
        assert not rest.note.is_last
        with pytest.raises(ImportRunError, match=r"^RuntimeError: no way$"):
            next(frames)


def test_whoever_leaves_early_leaves_nobody_behind(
    desk: Desk, others: list[psutil.Process]
) -> None:
    write(desk, [40] * 40)
    with begin(desk, 2) as frames:
        next(frames)
        assert len(psutil.Process().children()) == len(others) + 2


def test_whoever_never_begins_leaves_nobody_behind(desk: Desk) -> None:
    write(desk, [40] * 40)

    def fail() -> None:
        with begin(desk, 2):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()


def test_each_worker_first_lets_go_of_what_it_has_inherited(desk: Desk, tmp_path: Path) -> None:
    write(desk, [3, 3, 3])

    def sign() -> None:
        (tmp_path / f"pid-{os.getpid()}").touch()

    with begin(desk, 2, sign) as frames:
        assert len(plain(frames)) > 0
        assert len([*tmp_path.glob("pid-*")]) == 2
        assert not (tmp_path / f"pid-{os.getpid()}").exists()


def test_signals_to_the_group_are_left_to_the_parent(
    desk: Desk, others: list[psutil.Process]
) -> None:
    write(desk, [9] * 9)
    with begin(desk, 2) as frames:
        taken = [next(frames)]
        for child in set(psutil.Process().children()).difference(others):
            child.send_signal(signal.SIGTERM)
            child.send_signal(signal.SIGINT)
        taken.extend(frames)
    assert sum(len(frame.note.ended) for _, frame in taken) == 9


ORPHANS = """
import os, signal, sys
from pathlib import Path
from hypactors.importing import _workers
from tests.importing.notebook import Desk, entry
from tests.importing.test_importing_frames import Reading
desk = Desk(Path(sys.argv[1]) / "desk")
for number in range(400):
    desk.write(f"{number:03d}", *(entry(f"{number}-{row}", text="x" * 9999) for row in range(9)))
reading = Reading(desk)
sources = reading.scan.sources
sizes = [path.stat().st_size for path in sources]
with _workers.read_with_workers(
    reading.reader, sources, sizes, count=2, in_worker=lambda: None
) as frames:
    next(frames)
    import psutil
    print(*(child.pid for child in psutil.Process().children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHANS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    eventually(lambda: not any(map(is_alive, pids)))
    for pid in pids:  # where this process takes in orphans, it buries them
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that waits to be buried does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("sizes", "asked", "count"),
    [
        ([], "", 0),
        ([11 * MB], "", 0),
        ([400 * MB], "", 1),
        ([400 * MB, 11 * MB], "", 1),
        ([400 * MB, 12 * MB], "", 2),
        ([MB] * 400, "", 2),
        ([MB] * 400, "1", 0),
    ],
)
def test_as_many_as_there_is_work_for(
    sizes: list[int], asked: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """contract §5.6: an import that took too much memory is made by one process."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert worker_count({WORKERS_VARIABLE: asked}, sizes) == count


def test_a_process_with_threads_is_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert worker_count({}, [MB] * 400) == 0
