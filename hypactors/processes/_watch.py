"""Noticing the end of runs, those we started and those we found."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING

from hypactors.processes._identity import is_running
from hypactors.processes._state import inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psutil
    from structlog.typing import FilteringBoundLogger

    from hypactors.processes._identity import ProcessIdentity
    from hypactors.processes._runs import RunFolder

# Where no event tells of an end (no pidfd, or nobody knows yet whom to wait for) we look again.
LOOK_AGAIN_S = 0.25
# A callback only sends a message, so the thread is never away for long.
JOIN_TIMEOUT_S = 5.0


class RunWatch:
    """One thread that watches every run of this process and is the only reaper of launchers.

    It outlives the actors that use it: an actor that was restarted watches its run again, which
    replaces the callback and starts no second reaper. Closing leaves the processes alone.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._guard = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._is_closed = False
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._thread = threading.Thread(target=self._run, name="run-watch", daemon=True)
        self._thread.start()

    def watch(
        self,
        folder: RunFolder,
        process: psutil.Popen | None,
        on_over: Callable[[str], object],
    ) -> None:
        """Call ``on_over`` with the run id, once, when launcher and import are both gone.

        ``process`` is what ``launch`` returned, or None for a run that was found on disk. The
        call comes on the watch's thread; it should do no more than send a message. It comes at
        once for a run that is over already.
        """
        with self._guard:
            if self._is_closed:
                raise RuntimeError("the run watch is closed")
            watched = self._watched.get(folder.run_id)
            if watched is None:
                self._watched[folder.run_id] = _Watched(folder, process, on_over)
            else:
                watched.on_over = on_over
                watched.process = watched.process or process
            self._wake()

    def live(self) -> Sequence[str]:
        """Return the ids of the runs that are still watched."""
        with self._guard:
            return list(self._watched)

    def close(self) -> None:
        """End the thread. No callback comes after this returns, and nothing is signalled."""
        with self._guard:
            if self._is_closed:
                return
            self._is_closed = True
            self._wake()
        self._thread.join(JOIN_TIMEOUT_S)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it is about to wake up anyway
            os.write(self._wake_writer, b"\0")

    def _run(self) -> None:
        while not self._is_closed:
            with self._guard:
                watched = list(self._watched.values())
            self._wait([run for run in watched if not self._finish_if_over(run)])
        with self._guard:
            for run in self._watched.values():
                run.forget_descriptor()
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    def _wait(self, runs: list[_Watched]) -> None:
        """Block until a process ended or somebody woke us; not for long where nobody would."""
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        timeout_ms: float | None = None
        for run in runs:
            if run.descriptor is None:
                timeout_ms = LOOK_AGAIN_S * 1000
            else:
                poll.register(run.descriptor, select.POLLIN)
        poll.poll(timeout_ms)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_reader, 4096)

    def _finish_if_over(self, run: _Watched) -> bool:
        try:
            if not run.is_over():
                return False
        except Exception as error:  # noqa: BLE001 - the edge of the thread, which serves others too
            # A full descriptor table or a sick disk: the run is not over, and we look again.
            self._log.error("run_watch_look_failed", run_id=run.folder.run_id, detail=repr(error))
            run.forget_descriptor()
            return False
        with self._guard:
            # Under the guard, so that a callback that was replaced in time is not called.
            del self._watched[run.folder.run_id]
            on_over = run.on_over
            if self._is_closed:
                return True
        try:
            on_over(run.folder.run_id)
        except Exception as error:  # noqa: BLE001 - as above
            self._log.error(
                "run_watch_callback_failed", run_id=run.folder.run_id, detail=repr(error)
            )
        return True


class _Watched:
    """One run under watch; all but ``on_over`` and ``process`` belongs to the thread."""

    def __init__(
        self,
        folder: RunFolder,
        process: psutil.Popen | None,
        on_over: Callable[[str], object],
    ) -> None:
        self.folder = folder
        self.process = process
        self.on_over = on_over
        self.descriptor: int | None = None
        self._pid_of_descriptor: int | None = None

    def is_over(self) -> bool:
        """Reap our launcher when it ended, and say whether nothing of the run is left.

        When it is not over, ``descriptor`` becomes readable when the process that is waited for
        ends; without one, look again later.
        """
        process = self.process
        if process is not None:
            self._wait_for(process.pid)
            # The only place that reaps it: a second reaper would find exit status 0.
            if process.poll() is None:
                return False
            self.process = None
        alive = self._first_alive()
        if alive is not None:
            return False
        self.forget_descriptor()
        return inspect(self.folder).is_over

    def forget_descriptor(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
        self.descriptor = self._pid_of_descriptor = None

    def _first_alive(self) -> ProcessIdentity | None:
        """Return the launcher, else the import, when it lives; a descriptor for it is open."""
        pids = self.folder.pids()
        if pids is None:
            return None
        for identity in (pids.launcher, pids.import_):
            if identity is not None and is_running(identity, pids.boot_id):
                self._wait_for(identity.pid)
                # Again, as the descriptor may be of a process that got the pid in between.
                if is_running(identity, pids.boot_id):
                    return identity
        return None

    def _wait_for(self, pid: int) -> None:
        if self._pid_of_descriptor == pid:
            return
        self.forget_descriptor()
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # then we look again now and then
                self.descriptor = os.pidfd_open(pid)
                self._pid_of_descriptor = pid
