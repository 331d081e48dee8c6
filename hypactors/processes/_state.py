"""What has become of a run, decided from what is found on disk (contract §5.2)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.processes._identity import is_running
from hypactors.processes._lock import is_free

if TYPE_CHECKING:
    from hypactors.processes._records import RunResult
    from hypactors.processes._runs import RunFolder


class RunState(enum.StrEnum):
    """Where a run is. The last two are over."""

    STARTING = "starting"
    """Somebody holds the lock and who the import is cannot be known yet: wait."""
    RUNNING = "running"
    IMPORT_ONLY = "import_only"
    """The launcher died and the import goes on; nobody will write a result."""
    FINISHED = "finished"
    """The result is there to be read."""
    INTERRUPTED = "interrupted"
    """Nothing of the run is alive and there is no result. After ``IMPORT_ONLY`` a complete
    stdout document may still tell that the work was done."""

    @property
    def is_over(self) -> bool:
        return self in {RunState.FINISHED, RunState.INTERRUPTED}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the files and the process table say about one run.

    ``has_pids`` means that the launcher wrote down the import too: before that an import may
    live that no file names.
    """

    lock_free: bool
    has_pids: bool
    launcher_alive: bool
    import_alive: bool
    result: RunResult | None


def decide(facts: RunFacts) -> RunState:
    """Return the state that the facts amount to."""
    if facts.result is not None:
        return RunState.FINISHED
    if facts.lock_free:
        return RunState.INTERRUPTED
    if not facts.has_pids:
        return RunState.STARTING
    if facts.launcher_alive:
        return RunState.RUNNING
    if facts.import_alive:
        return RunState.IMPORT_ONLY
    # Both are dead, so it is another import of the provider that holds the lock.
    return RunState.INTERRUPTED


def inspect(folder: RunFolder) -> RunState:
    """Look at a run as it is now.

    The order of the looks matters: the result is read last, because a lock that was free before
    means that no result can be written any more. The lock is not probed while a process of the
    run is alive, as that process holds it.
    """
    pids = folder.pids()
    launcher_alive = pids is not None and is_running(pids.launcher, pids.boot_id)
    import_alive = (
        pids is not None and pids.import_ is not None and is_running(pids.import_, pids.boot_id)
    )
    return decide(
        RunFacts(
            lock_free=not (launcher_alive or import_alive) and is_free(folder.lock_path),
            has_pids=pids is not None and pids.import_ is not None,
            launcher_alive=launcher_alive,
            import_alive=import_alive,
            result=folder.result(),
        )
    )
