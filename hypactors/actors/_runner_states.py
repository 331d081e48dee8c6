"""What a runner may be doing, and the messages that it sends to itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.messages import RunningImport, WaitingImport

if TYPE_CHECKING:
    from hypactors.messages import ActionFinished, Perform
    from hypactors.processes import RunFolder, RunRecord


@dataclass(frozen=True, slots=True)
class Running:
    """The import is under way, started by this runner or found again."""

    folder: RunFolder
    record: RunRecord


@dataclass(frozen=True, slots=True, eq=False)
class Reporting:
    """The import has ended and its outcome is not in the marker yet, but safe in its folder."""

    folder: RunFolder
    finished: ActionFinished

    @property
    def run_id(self) -> str:
        return self.folder.run_id


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """It may not start yet. Told apart by identity, not by value."""

    perform: Perform
    reason: str


State = Running | Reporting | Waiting | None


def describe(state: State, provider: str) -> RunningImport | WaitingImport | None:
    """Return what a person is shown of a runner; one that only reports has nothing to show."""
    match state:
        case Waiting(perform=perform, reason=reason):
            return WaitingImport(provider, perform.action.request_key, reason)
        case Running(folder=folder, record=record):
            pids = folder.pids()
            return RunningImport(
                provider=record.provider,
                request_key=record.request_key,
                run_id=folder.run_id,
                pid=pids.import_.pid if pids is not None and pids.import_ is not None else None,
                started_at=record.created_at,
                progress=folder.progress_fields(),
            )
        case _:
            return None


@dataclass(frozen=True, slots=True)
class StopReporting:
    """The daemon stops and the outcome is still not recorded: the next start tells it again."""

    reporting: Reporting


@dataclass(frozen=True, slots=True)
class TryAgain:
    """What it waited for may be there; means nothing once that wait is over."""

    waiting: Waiting


@dataclass(frozen=True, slots=True)
class LookAtImport:
    """Time to see what the import of this run uses."""

    run_id: str


@dataclass(frozen=True, slots=True)
class GraceIsOver:
    """The import of this run was asked to end for a limit, and has had its time to."""

    run_id: str
