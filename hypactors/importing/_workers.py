"""The cores of an import: processes that turn files into frames, in the same order on each run.

Threads would not help: making rows is work for the interpreter. The workers are forked before most
of the data plane is loaded, so that they stay small; they end when whoever forked them does.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import heapq
import multiprocessing
import os
import queue
import signal
import threading
from typing import TYPE_CHECKING

import msgspec

from hypactors.errors import ImportRunError
from hypactors.importing._frames import Frame, Note
from hypactors.importing._memory import give_back
from hypactors.importing._reasons import reason_of
from hypactors.processes import WORKERS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess
    from pathlib import Path

    from typing_extensions import Buffer

    from hypactors.importing._frames import Reader

MOST_WORKERS = 2
"""More would take more memory than an import may, and more of a machine than it should."""

# Below this, starting workers takes longer than what they save.
LEAST_BYTES = 12 * 1024 * 1024

_TASK_BYTES = 8 * 1024 * 1024
# JSON makes no cycles, and looking for some costs a tenth of the time.
_GC_THRESHOLD = 100_000
_END_TIMEOUT_S = 5.0
_ROWS_FOLLOW, _NO_ROWS = b"rows", b""
_AHEAD = 3
_LARGE_BYTES = 16 * 1024 * 1024
"""Before so much comes in, what is free is given back: it takes a while."""
_PIPE_BYTES = 1 << 20
_UNTIL_ROWS = 3
"""The part of the work on a file, one in so many bytes, after which rows begin to come."""
_PARENTS_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOOK_AGAIN_S = 0.01

Task = tuple[int, int]
"""The first and the last place but one of its files among the sources."""


def worker_count(environ: Mapping[str, str], sizes: Sequence[int]) -> int:
    """Return how many processes should read beside the one that writes; 0: it reads itself."""
    asked = environ.get(WORKERS_VARIABLE, "")
    # A fork of a process with threads may find a lock held for ever.
    if asked == "1" or threading.active_count() > 1 or not hasattr(os, "fork"):
        return 0
    total = sum(sizes)
    if total < LEAST_BYTES:
        return 0
    # A file is read by one of them: a second needs something to do beside the largest.
    useful = MOST_WORKERS if total - max(sizes) >= LEAST_BYTES else 1
    return min(useful, os.cpu_count() or 1)


def tasks_of(sizes: Sequence[int]) -> Iterator[Task]:
    """Divide the files, by their sizes and in their order, into pieces of work."""
    begin = size = 0
    for index, each in enumerate(sizes):
        if size and size + each > _TASK_BYTES:
            yield begin, index
            begin, size = index, 0
        size += each
    if begin < len(sizes):
        yield begin, len(sizes)


def read_alone(
    reader: Reader, sources: Sequence[Path], sizes: Sequence[int]
) -> Iterator[tuple[Task, Frame]]:
    """Yield the frames of all tasks, made in this process."""
    for task in tasks_of(sizes):
        for frame in reader.frames(sources[slice(*task)]):
            yield task, frame


@contextlib.contextmanager
def read_with_workers(
    reader: Reader,
    sources: Sequence[Path],
    sizes: Sequence[int],
    *,
    count: int,
    in_worker: Callable[[], None],
) -> Iterator[Iterator[tuple[Task, Frame]]]:
    """Give the same frames as ``read_alone``, made by ``count`` processes.

    Those of one task come in their order, and those of two workers in turns. ``in_worker`` is
    called in each worker first. Iterating raises ``ImportRunError`` when a worker ends before its
    work does. However the context is left, no worker outlives it.
    """
    workers: list[_Worker] = []
    ahead: list[_ReadAhead] = []
    shares = shares_of(sizes, count)
    # Before the fork, so that the workers share it.
    import hypactors.dataset.arrow  # noqa: PLC0415, F401 - a small import has no use for it

    try:
        for tasks in shares:
            workers.append(_Worker.fork(reader, sources, tasks, in_worker, [*workers]))
        ahead.extend(_ReadAhead(worker.frames()) for worker in workers)
        for each in ahead:
            each.start()
        yield _in_turns([each.items() for each in ahead], shares, sizes)
    finally:
        for worker in workers:
            worker.kill()
        for each in ahead:
            each.end()
        for worker in workers:
            worker.close()


def shares_of(sizes: Sequence[int], count: int) -> list[list[Task]]:
    """Divide the tasks so that each worker gets about as many bytes, its own in their order.

    The largest are dealt out first: one that came last would keep one worker busy alone.
    """
    shares: list[list[Task]] = [[] for _ in range(count)]
    given = [0] * count
    weighed = [(sum(sizes[begin:end]), (begin, end)) for begin, end in tasks_of(sizes)]
    for size, task in sorted(weighed, key=lambda each: -each[0]):
        least = given.index(min(given))
        shares[least].append(task)
        given[least] += size
    return [sorted(share) for share in shares]


def _in_turns(
    streams: Sequence[Iterator[tuple[Task, Frame]]],
    shares: Sequence[Sequence[Task]],
    sizes: Sequence[int],
) -> Iterator[tuple[Task, Frame]]:
    """Take the next frame from the worker that should be the furthest behind.

    How far one is, is reckoned from the files alone: nothing comes of a file before it was read to
    its end, and then rows. Which frame is ready does not count, so that the order is the same on
    each run; and a long file holds up nobody.
    """
    waiting = [iter(share) for share in shares]
    turns = [(0, number) for number in range(len(streams)) if shares[number]]
    is_begun = [False] * len(streams)
    while turns:
        reckoned, number = heapq.heappop(turns)
        if not is_begun[number]:
            task = next(waiting[number], None)
            if task is not None:
                is_begun[number] = True
                heapq.heappush(turns, (reckoned + sum(sizes[slice(*task)]) // _UNTIL_ROWS, number))
            continue
        found = next(streams[number])
        note = found[1].note
        is_begun[number] = not note.is_last
        heapq.heappush(turns, (reckoned + note.size, number))
        yield found


class _ReadAhead(threading.Thread):
    """Takes in frames of one worker while others are committed, a few and no more."""

    def __init__(self, frames: Iterator[tuple[Task, Frame]]) -> None:
        super().__init__(name="read-ahead", daemon=True)
        self._frames = frames
        self._queue: queue.Queue[tuple[Task, Frame] | Exception | None] = queue.Queue(_AHEAD)
        self._is_over = False

    def run(self) -> None:
        try:
            for frame in self._frames:
                self._queue.put(frame)
                if self._is_over:
                    return
            self._queue.put(None)
        except Exception as error:  # noqa: BLE001 - it is raised where the frames are taken
            self._queue.put(error)

    def items(self) -> Iterator[tuple[Task, Frame]]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def end(self) -> None:
        """Let the thread end; the worker is dead, so that it waits for nothing but us."""
        self._is_over = True
        while self.is_alive():
            with contextlib.suppress(queue.Empty):
                self._queue.get_nowait()
            self.join(_LOOK_AGAIN_S)


class _Worker:
    """One process and the pipe from it, as its parent sees it."""

    def __init__(self, process: ForkProcess, pipe: Connection, tasks: Sequence[Task]) -> None:
        self._process = process
        self._pipe = pipe
        self._tasks = tasks

    @classmethod
    def fork(
        cls,
        reader: Reader,
        sources: Sequence[Path],
        tasks: Sequence[Task],
        in_worker: Callable[[], None],
        siblings: Sequence[_Worker],
    ) -> _Worker:
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe(duplex=False)
        _widen(ours)
        inherited = [ours, *(sibling._pipe for sibling in siblings)]  # noqa: SLF001 - its own class

        def run() -> None:
            # With these open it would not notice that its parent is gone.
            for pipe in inherited:
                pipe.close()
            in_worker()
            _work(reader, sources, tasks, theirs)

        process = context.Process(target=run, name="import-worker", daemon=True)
        # Until it ignores them, a signal to the group would end it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _PARENTS_SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return cls(process, ours, tasks)

    def frames(self) -> Iterator[tuple[Task, Frame]]:
        for task in self._tasks:
            is_last = False
            while not is_last:
                frame = self._receive()
                is_last = frame.note.is_last
                yield task, frame

    def _receive(self) -> Frame:
        import pyarrow as pa  # noqa: PLC0415 - there are rows by now

        try:
            note = _decode_note(self._pipe.recv_bytes())
            if isinstance(note, str):
                raise ImportRunError(note)
            rows = None
            if note.size >= _LARGE_BYTES:
                give_back()
            if self._pipe.recv_bytes() == _ROWS_FOLLOW:
                # To the end of the stream: the next note comes right after it.
                [rows] = pa.ipc.open_stream(pa.PythonFile(PipeFile(self._pipe.fileno()), "r"))
        except (EOFError, ConnectionResetError):
            self._process.join(_END_TIMEOUT_S)
            raise ImportRunError(
                f"a worker of the import ended early ({_how(self._process.exitcode)})"
            ) from None
        return Frame(rows, note)

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._pipe.close()
        self._process.join(_END_TIMEOUT_S)


def _widen(pipe: Connection) -> None:
    """Let a pipe hold more, where the system can: each time it is full costs two switches."""
    set_size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if set_size is not None:
        with contextlib.suppress(OSError):  # the user has too many wide ones
            fcntl.fcntl(pipe.fileno(), set_size, _PIPE_BYTES)


_decode_note = msgspec.msgpack.Decoder(Note | str).decode


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit {exit_code}"


def _work(reader: Reader, sources: Sequence[Path], tasks: Sequence[Task], pipe: Connection) -> None:
    """Do the tasks, one after the other, until the parent is gone."""
    # A signal to the group of the import is the parent's to answer.
    for number in _PARENTS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PARENTS_SIGNALS)
    gc.set_threshold(_GC_THRESHOLD)
    reader.forget()
    with contextlib.suppress(BrokenPipeError):
        try:
            for task in tasks:
                for frame in reader.frames(sources[slice(*task)]):
                    _send(pipe, frame)
                    del frame  # it may be a large part of all there is
        except BrokenPipeError:
            raise
        # Another package's provider may raise anything; the parent tells it.
        except Exception as error:  # noqa: BLE001
            pipe.send_bytes(msgspec.msgpack.encode(reason_of(error)))


def _send(pipe: Connection, frame: Frame) -> None:
    pipe.send_bytes(msgspec.msgpack.encode(frame.note))
    if frame.rows is None:
        pipe.send_bytes(_NO_ROWS)
        return
    import pyarrow as pa  # noqa: PLC0415 - there are rows by now

    pipe.send_bytes(_ROWS_FOLLOW)
    # Column by column, and not first as one copy of them all: a row may be large.
    with pa.ipc.new_stream(pa.PythonFile(PipeFile(pipe.fileno()), "w"), frame.rows.schema) as out:
        out.write_batch(frame.rows)


class PipeFile:
    """A pipe as Arrow wants a file: what is asked for comes whole, and nothing is read ahead."""

    closed = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int) -> bytearray:
        """Return ``size`` bytes. Raises ``EOFError`` when the pipe ends before."""
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            count = os.readv(self._descriptor, [rest])
            if not count:
                raise EOFError
            rest = rest[count:]
        return data

    def write(self, data: Buffer) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        return size

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Leave the pipe open: it is another's."""
