"""What only a running daemon knows, as its control endpoint hands it to the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class LiveDaemon:
    """The daemon about itself."""

    pid: int | None
    run_id: str
    mode: str
    state: str
    started_at: str
    warnings: Sequence[str] = ()
    export_trouble: str | None = None
    """What is wrong with the export of logs and traces by OTLP."""


@dataclass(frozen=True, slots=True)
class LiveActor:
    """One actor, as its supervisor sees it."""

    name: str
    state: str
    restarts: int
    last_crash: str | None = None


@dataclass(frozen=True, slots=True)
class LiveImport:
    """An import that runs right now."""

    provider: str
    run_id: str
    pid: int | None
    started_at: str
    progress: Mapping[str, Any] | None = None
    """The fields of ``progress.json``; None before there is one."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """One moment of a running daemon. ``running`` and ``waiting`` are keyed by request key.

    ``waiting`` says what an import that is to begin waits for. ``link`` has the fields of
    ``LinkState``, None when there is no server to poll.
    """

    daemon: LiveDaemon
    actors: Sequence[LiveActor] = ()
    markers: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    running: Mapping[str, LiveImport] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    link: Mapping[str, Any] | None = None
