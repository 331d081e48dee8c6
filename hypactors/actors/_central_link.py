"""The link to the central server: polls for the config, and tells config control what came.

It decides when to poll and what a result means; the asking is done by a poller, on a thread of its
own, so the mailbox is never blocked. It is one actor for all configs: with each one that is taken
up it forgets what it knew of the server and begins anew (contract §7).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypactors.actors._central_poller import GRACE_S
from hypactors.actors._names import CENTRAL_LINK, CONFIG_CONTROL
from hypactors.central import (
    Failure,
    PollFailure,
    Served,
    link_sink,
    next_poll_s,
    sink_faults,
)
from hypactors.clock import iso_ms
from hypactors.config import running_etag
from hypactors.messages import (
    ConfigChanged,
    ConfigStaged,
    ConfigWanted,
    DescribeLink,
    LinkState,
    PollFailed,
    PollSucceeded,
    StageConfig,
)
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from structlog.typing import FilteringBoundLogger

    from hypactors.actors._central_poller import Poller, PollReport
    from hypactors.central import CentralSink, PollResult
    from hypactors.clock import Clock
    from hypactors.config import Layers
    from hypactors.paths import HypHome
    from hypactors.supervision import ChildContext, Directory, Timer, Timers


@dataclass(frozen=True, slots=True)
class _PollDue:
    """Time to poll, if the poll was armed in that generation."""

    generation: int


@dataclass(frozen=True, slots=True)
class _PollEnded:
    """A poll that was begun in that generation came to its end."""

    generation: int
    report: PollReport


class CentralLink(SupervisedActor):
    """Polls the server of the config that runs (``link_sink`` says which that is)."""

    def __init__(
        self,
        context: ChildContext,
        *,
        home: HypHome,
        directory: Directory,
        clock: Clock,
        timers: Timers,
        random: Callable[[], float],
        poller: Poller,
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._home = home
        self._directory = directory
        self._clock = clock
        self._timers = timers
        self._random = random
        self._poller = poller
        self._log = log.bind(actor=CENTRAL_LINK)
        self._revision: int | None = None
        self._sink: CentralSink | None = None
        self._generation = 0
        self._failures = 0
        self._timer: Timer | None = None
        self._etag: str | None = None
        self._state: LinkState | None = None

    def setup(self) -> None:
        self._directory.tell(CONFIG_CONTROL, ConfigWanted(CENTRAL_LINK))

    def receive(self, message: Any) -> Any:
        match message:
            case ConfigChanged():
                self._take_up(message)
            case _PollDue(generation=generation):
                if generation == self._generation:
                    self._poll()
            case _PollEnded(generation=generation, report=report):
                if generation == self._generation:
                    self._poll_ended(report)
            case ConfigStaged():
                self._log_poll(
                    200, message.etag, message.result.action or message.result.error_kind
                )
            case DescribeLink():
                return self._state
            case _:
                return super().receive(message)
        return None

    def teardown(self) -> None:
        self._disarm()
        self._poller.close(GRACE_S)

    # Which server

    def _take_up(self, changed: ConfigChanged) -> None:
        """Begin anew with a config; an announcement of the one that is known changes nothing."""
        sink = self._choose(changed.layers)
        if (changed.revision, sink) == (self._revision, self._sink):
            return
        self._revision, self._sink = changed.revision, sink
        self._generation += 1
        self._failures = 0
        self._disarm()
        self._poller.reset()
        if sink is None:
            self._state = None
            return
        self._state = LinkState(sink=sink.name, url=sink.url, fleet=sink.fleet)
        self._poll()

    def _choose(self, layers: Layers) -> CentralSink | None:
        for fault in sink_faults(layers.effective, self._home) if layers.effective else ():
            self._log.error("central.sink_unusable", sink=fault.name, detail=fault.reason)
        return link_sink(layers, self._home)

    # Polling

    def _poll(self) -> None:
        assert self._sink is not None  # noqa: S101 - no poll is armed without one
        # Read when it is used: the server takes from it what this machine runs.
        self._etag = running_etag(self._home)
        generation = self._generation
        self._poller.poll(
            self._sink,
            self._etag,
            lambda report: self._directory.tell(CENTRAL_LINK, _PollEnded(generation, report)),
        )

    def _poll_ended(self, report: PollReport) -> None:
        if report.acquired is not None:
            self._log.info(
                "central.identity.acquired",
                source=report.acquired.value,
                gateway_id=report.gateway_id,
            )
        result = report.result
        if isinstance(result, PollFailure):
            self._failures += 1
            self._log_failure(result)
            self._directory.tell(CONFIG_CONTROL, PollFailed())
        else:
            self._failures = 0
            # A poll confirms first, then stages (central §3).
            self._directory.tell(CONFIG_CONTROL, PollSucceeded(self._revision))
            if isinstance(result, Served):
                self._directory.tell(CONFIG_CONTROL, StageConfig(result.document, result.etag))
            else:
                self._log_poll(result.status, result.etag, None)
        self._arm(report, result)

    def _arm(self, report: PollReport, result: PollResult) -> None:
        assert self._sink is not None  # noqa: S101 - a generation without one ends no poll
        delay_s = next_poll_s(result, self._failures, self._sink.poll_interval_s, self._random())
        now = self._clock.now()
        self._disarm()
        generation = self._generation
        self._timer = self._timers.call_later(
            delay_s, lambda: self._directory.tell(CENTRAL_LINK, _PollDue(generation))
        )
        self._state = self._state_after(report, result, now, delay_s)

    def _state_after(
        self, report: PollReport, result: PollResult, now: datetime, delay_s: float
    ) -> LinkState | None:
        if self._state is None:
            return None
        is_failure = isinstance(result, PollFailure)
        return replace(
            self._state,
            gateway_id=report.gateway_id or self._state.gateway_id,
            served_etag=self._state.served_etag if isinstance(result, PollFailure) else result.etag,
            polled_at=iso_ms(now),
            succeeded_at=self._state.succeeded_at if is_failure else iso_ms(now),
            failures=self._failures,
            error=result.message if isinstance(result, PollFailure) else None,
            next_poll_at=iso_ms(now + timedelta(seconds=delay_s)),
        )

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # What is logged

    def _log_poll(self, status: int, etag: str | None, action: str | None) -> None:
        self._log.info(
            "central.config.poll",
            http_status=status,
            config_etag=etag,
            apply_action=action,
            status="ok",
        )

    def _log_failure(self, failure: PollFailure) -> None:
        if failure.kind is Failure.NOT_REGISTERED and self._failures > 1:
            return  # it was said, and nothing is wrong with it
        measured = {
            "http_status": failure.status,
            "retry_after_seconds": failure.retry_after_s,
            "body_bytes": failure.body_bytes,
        }
        self._log.warning(
            "central.config.poll_failed",
            error_kind=failure.kind.value,
            detail=failure.message,
            consecutive_failures=self._failures,
            **{name: value for name, value in measured.items() if value is not None},
        )
