"""Imports that a test ends when it likes, in the place of launchers and of the watch over them.

A played import holds the lock of its provider as a real one does, through a copy of the
descriptor, so that what a runner finds on disk is what it would find beside a real process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from hypactors.actors import _backfill_runner
from hypactors.actors._lone_child import Nursery
from hypactors.messages import DesiredAction, Perform
from hypactors.processes._records import RunResult
from tests.actors.stage import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psutil
    import pytest

    from hypactors.processes import FileLock, RunFolder, RunRecord, RunWatch
    from tests.actors.stage import Stage

PERFORM = Perform(
    "backfill",
    DesiredAction(KEY, {"provider": "claude", "plugin": KEY}),
    "confirm-edge",
    3,
    "pass-1",
)
OK = b'{"providers": [{"status": "ok", "rows_written": 7}]}'


class PlayedImports:
    """Every import that was started, in order; ``launch_error`` is raised by the next starts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[RunFolder] = []
        self.launch_error: OSError | None = None
        self._locks: dict[str, int] = {}
        self._callbacks: dict[str, Callable[[str], object]] = {}
        monkeypatch.setattr(_backfill_runner, "launch", self._launch)

    @property
    def as_watch(self) -> RunWatch:
        return cast("RunWatch", self)

    def watch(
        self, folder: RunFolder, _process: psutil.Popen | None, on_over: Callable[[str], object]
    ) -> None:
        """Be the watch: a runner that took up a run replaces the callback."""
        self._callbacks[folder.run_id] = on_over

    def end(
        self,
        exit_code: int | None = 0,
        *,
        stdout: bytes = OK,
        stderr: bytes = b"",
        signal: str | None = None,
        folder: RunFolder | None = None,
    ) -> RunFolder:
        """End an import, the last one, with a result, as its launcher would write it down."""
        folder = folder or self.started[-1]
        (folder.path / "stdout").write_bytes(stdout)
        (folder.path / "stderr").write_bytes(stderr)
        folder.write_result(
            RunResult(
                run_id=folder.run_id,
                exit_code=exit_code,
                signal=signal,
                started_at="2026-06-25T00:00:00.000Z",
                ended_at="2026-06-25T00:00:01.000Z",
                launch_error=None,
            )
        )
        self._over(folder)
        return folder

    def vanish(self, *, stdout: bytes = b"") -> RunFolder:
        """End the last import and its launcher at once: nobody is left to write a result."""
        folder = self.started[-1]
        (folder.path / "stdout").write_bytes(stdout)
        self._over(folder)
        return folder

    def close(self) -> None:
        for descriptor in self._locks.values():
            os.close(descriptor)

    def _launch(
        self,
        folder: RunFolder,
        _record: RunRecord,
        *,
        environ: Mapping[str, str],  # noqa: ARG002 - a real launcher is what tests of it are for
        lock: FileLock,
        nice: int,  # noqa: ARG002
    ) -> None:
        if self.launch_error is not None:
            raise self.launch_error
        self.started.append(folder)
        self._locks[folder.run_id] = os.dup(lock.fileno())

    def _over(self, folder: RunFolder) -> None:
        os.close(self._locks.pop(folder.run_id))
        on_over = self._callbacks[folder.run_id]
        on_over(folder.run_id)


def nursery_of(stage: Stage, imports: PlayedImports, busy: list[bool]) -> Nursery:
    """Return what the children of a lone owner are started with; they are played."""
    return Nursery(
        home=stage.home,
        command=("hyp",),
        environ={},
        nice=0,
        clock=stage.clock,
        watch=imports.as_watch,
        new_token=stage.new_token,
        daemon_run_id="daemon-1",
        directory=stage.directory,
        on_busy=lambda _name, is_busy: busy.append(is_busy),
    )


def live_again(stage: Stage, imports: PlayedImports) -> None:
    """Start the runner, for the first time or after a crash, on imports that are played."""
    stage.start_runner(imports.as_watch)
