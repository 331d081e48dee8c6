"""Every message that crosses a mailbox, and the values it carries.

A message is named for what it says: past tense for a fact (``ActionFinished``), imperative for a
request (``Perform``). Actors only ``tell`` each other; the two ``Describe…`` messages are asked by
the edge (control socket, command line, tests), always with a timeout.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hypactors.actions import MarkerBook, Unit
    from hypactors.central import CentralSink
    from hypactors.config import Layers, StageResult


class OutcomeStatus(enum.StrEnum):
    """What became of one unit (client-actions §1)."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one ``perform`` or ``reverse`` ended. ``detail`` is merged into the marker.

    ``is_hopeless_soon`` says of a failure that trying again before long is of no use.
    """

    status: OutcomeStatus
    rows: int | None = None
    reason: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    is_hopeless_soon: bool = False


@dataclass(frozen=True, slots=True)
class DesiredAction:
    """One thing a handler wants done. ``params`` go to ``perform`` and are never stored."""

    request_key: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Undecided:
    """A unit of which a handler cannot tell now whether it is wanted, and why."""

    request_key: str
    reason: str


# To and from the marker store


@dataclass(frozen=True, slots=True)
class ReadMarkers:
    """The reconciler wants to plan: send it a ``MarkersRead`` with this number."""

    planning: int


@dataclass(frozen=True, slots=True)
class MarkersRead:
    """The markers as they were when the store came to ``ReadMarkers``."""

    planning: int
    markers: MarkerBook


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """Put an outcome on disk, then tell the reconciler, and the runner if one is named.

    An outcome of the same ``run_id`` as the marker's changes nothing. ``undone`` says that the
    outcome is of a ``reverse``: done forgets the marker, anything else keeps it as it is.
    """

    kind: str
    request_key: str
    outcome: Outcome
    run_id: str | None = None
    runner: str | None = None
    undone: bool = False

    def of_fleet(self, fleet: str | None) -> RecordOutcome:
        """Return the outcome as one that counts in this fleet alone, if there is one."""
        if fleet is None:
            return self
        detail = {**self.outcome.detail, "fleet": fleet}
        return replace(self, outcome=replace(self.outcome, detail=detail))


@dataclass(frozen=True, slots=True)
class OutcomeRecorded:
    """What ``recorded`` says is on disk. The other two are set when it failed."""

    recorded: RecordOutcome
    attempts: int | None = None
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class ForgetMarker:
    """Drop a marker that records nothing anyone could undo."""

    kind: str
    request_key: str


@dataclass(frozen=True, slots=True)
class RearmMarker:
    """Let a refused unit be tried again; harmless for any other."""

    kind: str
    request_key: str


@dataclass(frozen=True, slots=True)
class MarkerStoreReady:
    """The store (re)started: what it had not acknowledged must be sent again."""


@dataclass(frozen=True, slots=True)
class DescribeMarkers:
    """Ask the store for its ``MarkerBook``."""


# To and from config control


@dataclass(frozen=True, slots=True)
class PollSucceeded:
    """The central server answered a poll.

    ``revision`` is that of the ``ConfigChanged`` under which the poll was made: one made before a
    change says nothing of the config after it. None stands for whichever is in force.
    """

    revision: int | None = None


@dataclass(frozen=True, slots=True)
class PollFailed:
    """The central server gave no usable answer to a poll."""


@dataclass(frozen=True, slots=True)
class StageConfig:
    """The central server served this document (JSON text); try it.

    Sent after the ``PollSucceeded`` of the same poll: a poll confirms first, then stages.
    """

    document: bytes
    etag: str | None


@dataclass(frozen=True, slots=True)
class ConfigStaged:
    """What became of a ``StageConfig`` of that etag."""

    result: StageResult
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigWanted:
    """An actor (re)started and knows no config: tell it ``ConfigChanged``."""

    actor: str


@dataclass(frozen=True, slots=True)
class ResetToSeed:
    """Forget every config but the seed, which was just written or just deleted, and take that up.

    Asked by the edge; the answer says whether a config of the server was superseded.
    """


@dataclass(frozen=True, slots=True)
class DescribeLink:
    """Ask the central link for its ``LinkState``, or None when there is no server to poll."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the link to the central server is. Times are ISO-8601 in UTC."""

    sink: str
    url: str
    fleet: str
    gateway_id: str | None = None
    served_etag: str | None = None
    polled_at: str | None = None
    succeeded_at: str | None = None
    failures: int = 0
    error: str | None = None
    next_poll_at: str | None = None


@dataclass(frozen=True, slots=True)
class RunnerMissed:
    """A unit is wanted whose runner does not live."""


@dataclass(frozen=True, slots=True)
class ReloadRequested:
    """Read both layers again (SIGHUP)."""


@dataclass(frozen=True, slots=True)
class ReconcilerReady:
    """The reconciler (re)started: it knows no config, and may have lost an outcome."""


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """The layers as they now are; ``is_confirmed`` says whether actions may run under them.

    ``revision`` grows with each staged restart: it tells the polls under one config from
    those under the next. ``fleet`` is that of its central server (contract §9).
    """

    layers: Layers
    is_confirmed: bool
    revision: int = 0
    fleet: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigConfirmed:
    """The confirmation edge: perform what this config asks for."""

    reason: str
    etag: str | None


@dataclass(frozen=True, slots=True)
class DescribeConfig:
    """Ask config control for its ``ConfigChanged``, or None before it has read the layers."""


# To and from the reconciler


@dataclass(frozen=True, slots=True)
class ReconcileRequested:
    """Plan a pass. A pass on an edge retries every failure, one on a timer only what is due."""

    reason: str
    is_edge: bool


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """Perform these units now if they are wanted and not done, whatever they wait for."""

    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class DescribeWaits:
    """Ask the reconciler for its ``Waits``."""


@dataclass(frozen=True, slots=True)
class Waits:
    """When the turn comes of units that wait for it, and why others are not begun."""

    turns: Mapping[Unit, datetime]
    blocked: Mapping[Unit, str]


@dataclass(frozen=True, slots=True)
class RunnerReady:
    """A runner (re)started: what it had been given and not begun must be sent again."""

    runner: str


@dataclass(frozen=True, slots=True)
class ActionFinished:
    """A runner's unit ended with this outcome; the runner waits for ``OutcomeRecorded``."""

    runner: str
    kind: str
    request_key: str
    outcome: Outcome
    run_id: str


@dataclass(frozen=True, slots=True)
class ActionInterrupted:
    """A runner's unit ended without an outcome: it changes no marker and is tried again."""

    runner: str
    kind: str
    request_key: str
    run_id: str


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """The daemon is stopping: start nothing more, finish what runs."""


# To the runners


@dataclass(frozen=True, slots=True)
class Perform:
    """Bring about one action; idempotent while the same unit is under way."""

    kind: str
    action: DesiredAction
    reason: str
    attempt: int
    pass_id: str | None = None
    """The pass that began it: the log tells its run by it."""


@dataclass(frozen=True, slots=True)
class StopImport:
    """End the import that runs: at its next commit, or (``at_once``) by force."""

    at_once: bool


@dataclass(frozen=True, slots=True)
class MaintenanceDue:
    """The schedule says that the cache should be looked after."""


@dataclass(frozen=True, slots=True)
class ImportEnded:
    """Every process of the run is gone."""

    run_id: str


@dataclass(frozen=True, slots=True)
class SinkChanged:
    """The sink as the config now has it; None: it has it no more."""

    sink: CentralSink | None


@dataclass(frozen=True, slots=True)
class ExportRequested:
    """There may be something new to send: do not wait for the schedule."""


@dataclass(frozen=True, slots=True)
class DescribeRun:
    """Ask a runner for its ``RunningImport`` or ``WaitingImport``, or None."""


@dataclass(frozen=True, slots=True)
class RunningImport:
    """One import under way. Times are ISO-8601 in UTC; ``pid`` is the import's own."""

    provider: str
    request_key: str
    run_id: str
    pid: int | None
    started_at: str
    progress: Mapping[str, Any] | None = None
    """The fields of ``progress.json``; None before there is one."""


@dataclass(frozen=True, slots=True)
class WaitingImport:
    """One import that is to begin; ``reason`` says what it waits for."""

    provider: str
    request_key: str
    reason: str
