"""What the apply engine answers, and what it needs to speak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from hypactors.config._served import StageErrorKind

BootActionName = Literal[
    "none", "cleared_orphan", "rolled_back", "rollback_no_target", "recovered_bad_active"
]
StageAction = Literal["applied", "noop_same_etag", "skipped_bad_etag"]
RollbackReason = Literal["probation_expired", "probation_crashed"]


class EventLog(Protocol):
    """The part of a structlog logger that the engine uses."""

    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def error(self, event: str, **fields: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class BootAction:
    """What the engine found and mended before anything was started.

    ``fallback`` says for ``recovered_bad_active`` what is in force now: the seed, or still the
    same config until another is pulled.
    """

    action: BootActionName
    etag: str | None = None
    reason: str | None = None
    fallback: Literal["seed", "repull"] | None = None


@dataclass(frozen=True, slots=True)
class StageResult:
    """What became of a served document: an ``action``, or an ``error_kind`` and its message."""

    action: StageAction | None
    error_kind: StageErrorKind | None = None
    message: str = ""

    @property
    def is_restart_wanted(self) -> bool:
        return self.action == "applied"


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """How a rollback ended. ``failed``: the disk would not; it is tried again at a later tick."""

    outcome: Literal["rolled_back", "no_target", "failed"]
    etag: str | None
    reason: str

    @property
    def is_restart_wanted(self) -> bool:
        return self.outcome == "rolled_back"
