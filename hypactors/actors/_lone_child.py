"""One child process of a kind at a time, across restarts of the daemon and of its owner.

It is recorded before it starts, under a lock that it inherits, and watched to its end: an owner
that comes back finds it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.messages import ImportEnded
from hypactors.processes import (
    FileLock,
    ProviderRuns,
    RunFolder,
    inspect,
    kill,
    launch,
    terminate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import psutil
    from structlog.typing import FilteringBoundLogger

    from hypactors.clock import Clock
    from hypactors.paths import HypHome
    from hypactors.processes import RunWatch
    from hypactors.supervision import Directory

_STDOUT_LIMIT = 1 << 20
_STDERR_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Nursery:
    """What every child is started with: ``command`` is ``hyp`` itself.

    ``on_busy`` is called with the owner's name and whether its child runs, each time that changes.
    """

    home: HypHome
    command: Sequence[str]
    environ: Mapping[str, str]
    nice: int
    clock: Clock
    watch: RunWatch
    new_token: Callable[[], str]
    daemon_run_id: str
    directory: Directory
    on_busy: Callable[[str, bool], object]


@dataclass(frozen=True, slots=True)
class ChildOver:
    """How a child ended, and what it said as far as that is kept."""

    run_id: str
    is_good: bool
    stdout: bytes
    stderr: str

    def told(self) -> dict[str, Any]:
        """Return the JSON object that it printed; an empty one when it printed something else."""
        try:
            told: Any = msgspec.json.decode(self.stdout)
        except (ValueError, RecursionError):
            return {}
        return told if isinstance(told, dict) else {}


class LoneChild:
    """The child of one actor, which is told ``ImportEnded`` when every process of it is gone."""

    def __init__(
        self, owner: str, folder: Path, nursery: Nursery, log: FilteringBoundLogger
    ) -> None:
        self._owner = owner
        self._lock_file = folder / "lock"
        self._nursery = nursery
        self._log = log
        self._runs = ProviderRuns(nursery.home, owner, folder)
        self._running: RunFolder | None = None

    @property
    def is_running(self) -> bool:
        return self._running is not None

    def adopt(self) -> str | None:
        """Take up the one that an earlier life of the owner started; return its run's id."""
        self._nursery.on_busy(self._owner, False)
        self._runs.sweep()
        for folder in self._runs.unsettled():
            if inspect(folder).is_over or self._running is not None:
                self._runs.settle(folder, "interrupted", self._nursery.clock.now())
            else:
                self._follow(folder, None)
        return None if self._running is None else self._running.run_id

    def start(self, *words: str, plugin: str, request_key: str, attempt: int, reason: str) -> None:
        """Start ``hyp`` with these words, unless somebody does the same by hand.

        Raises ``OSError`` when it cannot be started.
        """
        lock = FileLock.try_take(self._lock_file)
        if lock is None:
            return
        nursery = self._nursery
        with lock:
            folder = self._runs.new_run(
                plugin=plugin,
                request_key=request_key,
                argv=[*nursery.command, *words],
                since=None,
                attempt=attempt,
                reason=reason,
                daemon_run_id=nursery.daemon_run_id,
                now=nursery.clock.now(),
                token=nursery.new_token(),
            )
            record = folder.record()
            assert record is not None  # noqa: S101 - just written
            process = launch(folder, record, environ=nursery.environ, lock=lock, nice=nursery.nice)
            self._follow(folder, process)

    def stop(self, *, at_once: bool = False) -> None:
        """Let the one that runs end: what it has not done, the next does."""
        if self._running is not None:
            (kill if at_once else terminate)(self._running)

    def over(self, run_id: str) -> ChildOver | None:
        """Settle the one that ended; None when it is not ours, or has been settled."""
        folder = self._running
        if folder is None or folder.run_id != run_id:
            return None
        kill(folder)  # what outlived it would keep the lock
        result = folder.result()
        is_good = result is not None and result.exit_code == 0
        over = ChildOver(
            run_id,
            is_good,
            folder.stdout_bytes(limit=_STDOUT_LIMIT),
            folder.stderr_tail(_STDERR_LIMIT).strip(),
        )
        outcome = "done" if is_good else "failed" if result is not None else "interrupted"
        try:
            self._runs.settle(folder, outcome, self._nursery.clock.now())
            self._runs.prune()
        except OSError as error:
            self._log.error("run_not_settled", run_id=run_id, detail=str(error))
        self._running = None
        self._nursery.on_busy(self._owner, False)
        return over

    def _follow(self, folder: RunFolder, process: psutil.Popen | None) -> None:
        self._running = folder
        self._nursery.on_busy(self._owner, True)
        directory, owner = self._nursery.directory, self._owner
        self._nursery.watch.watch(
            folder, process, lambda run_id: directory.tell(owner, ImportEnded(run_id))
        )
