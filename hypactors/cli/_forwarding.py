"""One export of one sink, from the lock to the record: for ``hyp forward`` and ``hyp sync``."""

from __future__ import annotations

import asyncio
import secrets
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypactors.central import (
    CentralUnreachableError,
    IdentityError,
    IdentityKeeper,
    central_sinks,
    sink_faults,
)
from hypactors.cli._run_log import RunLog
from hypactors.clock import SystemClock, iso_ms
from hypactors.config import lake_of, resolve_layers
from hypactors.errors import ConfigError, ExportBusyError, HypError
from hypactors.forward import (
    ExportResult,
    Fleets,
    Marks,
    Outbox,
    Poster,
    Sent,
    SinkStatus,
    StoppedError,
    Way,
    cache_stamp,
    drop_past_hold,
    export,
    read_first_sync_hold,
    read_sink_status,
    write_sink_status,
)
from hypactors.lake import Lake, cache_id
from hypactors.processes import ImportLock
from hypactors.usage_policy import UsagePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from hypactors.cache import ExportedRow
    from hypactors.central import CentralSink
    from hypactors.forward import Hold
    from hypactors.paths import HypHome

SIGNAL = "proxy"
"""The signal of the one dataset that there is."""

LOCK = "lock"


class MessagesSource:
    """The rows of the cache of this machine. Raises ``HypError`` when it cannot be read.

    Never those of a shared catalogue: each machine would send what all have written.
    """

    dataset = "ai_gateway_messages"
    signal = SIGNAL

    def __init__(self, home: HypHome) -> None:
        self._lake = Lake.of(home)
        try:
            self.cache_id = cache_id(self._lake)
        except OSError as error:
            raise HypError(f"the cache cannot be read: {error}") from error

    def rows(self, after_seq: int) -> Iterable[ExportedRow]:
        from hypactors.cache import export_rows

        return export_rows(self._lake, after_seq)


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of an export: the result, or the hold that kept it from being made."""

    result: ExportResult
    hold: Hold | None = None

    @property
    def status(self) -> str:
        return "held" if self.hold else self.result.status

    @property
    def sent(self) -> Sent | None:
        return self.result.sent[0] if self.result.sent else None


def find_sinks(home: HypHome, environ: Mapping[str, str]) -> Sequence[CentralSink]:
    """Return the central sinks of the config. Raises ``ConfigError`` when it is not usable."""
    layers = resolve_layers(home, environ)
    if layers.effective is None:
        reasons = [problem.message for problem in layers.problems]
        raise ConfigError(reasons[0] if reasons else "this machine has not joined a server")
    sinks = central_sinks(layers.effective, home)
    faults = sink_faults(layers.effective, home)
    if not sinks and faults:
        raise ConfigError(faults[0].reason)
    return sinks


def rows_elsewhere(home: HypHome, environ: Mapping[str, str]) -> str | None:
    """Say where new rows go when they are not sent; None when they are."""
    lake = lake_of(home, resolve_layers(home, environ).local)
    if not lake.is_shared:
        return None
    return f"new rows go to the catalogue {lake}; only what this machine has kept itself is sent"


def pick_sink(sinks: Sequence[CentralSink], name: str | None) -> CentralSink:
    """Return the sink of that name, or the only one. Raises ``HypError``."""
    for sink in sinks:
        if name == sink.name or (name is None and len(sinks) == 1):
            return sink
    names = ", ".join(sink.name for sink in sinks) or "none"
    if name is None:
        raise HypError(f"say which central sink is meant (there are: {names})")
    raise HypError(f"the config has no central sink {name} (there are: {names})")


def run_export(
    home: HypHome,
    environ: Mapping[str, str],
    sink: CentralSink,
    *,
    on_sent: Callable[[Sent], object],
) -> Exported:
    """Send what is new to one sink, and leave its status for others to read.

    SIGTERM and SIGINT end it after the batch under way. Raises ``ExportBusyError`` while another
    export to that sink runs, and ``OSError`` when the home cannot be written.
    """
    lock = ImportLock.inherited_or_taken(home.sink_runs(sink.name) / LOCK, environ)
    if lock is None:
        raise ExportBusyError(f"an export to {sink.name} runs already; it takes what is there")
    with lock:
        clock = SystemClock()
        drop_past_hold(home, clock.now())
        hold = read_first_sync_hold(home, clock.now())
        if hold is not None:
            return Exported(ExportResult(), hold)
        stamp = cache_stamp(home)
        log = RunLog(environ, clock, run_id=environ.get("HYP_RUN_ID", ""), mode="export")
        exporting = _Exporting(home, sink, on_sent, log)
        result = asyncio.run(exporting.run())
        _log_result(log, result)
        _record(home, sink, result, stamp, clock.now())
        return Exported(result)


class _Exporting:
    """The part that runs in an event loop."""

    def __init__(
        self,
        home: HypHome,
        sink: CentralSink,
        on_sent: Callable[[Sent], object],
        log: RunLog,
    ) -> None:
        self._home = home
        self._sink = sink
        self._on_sent = on_sent
        self._log = log
        self._clock = SystemClock()
        self._stop = asyncio.Event()

    async def run(self) -> ExportResult:
        from hypactors.central.client import CentralClient

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        try:
            source = MessagesSource(self._home)
            policy = UsagePolicy.load(self._home)
            async with CentralClient(self._sink.url) as client:
                keeper = IdentityKeeper(client, self._sink, self._clock)
                await keeper.acquire(may_bootstrap=False)
                return await export([source], self._way(client, keeper, policy))
        except (IdentityError, CentralUnreachableError, HypError) as error:
            return ExportResult([Sent(MessagesSource.dataset, error=str(error))])

    def _way(self, client: Any, keeper: IdentityKeeper, policy: UsagePolicy) -> Way:
        sink, home = self._sink, self._home
        fleets = Fleets(home)
        return Way(
            poster=Poster(
                client,
                keeper,
                clock=self._clock,
                pause=self._pause,
                on_busy=self._tell_busy,
            ),
            marks=lambda dataset: Marks(home, sink=sink.name, dataset=dataset, fleet=sink.fleet),
            floor=lambda cache_id: fleets.held(sink.fleet, cache_id),
            outbox=Outbox(home, sink.name),
            is_withheld=policy.is_withheld,
            now=self._clock.now,
            is_stopping=self._stop.is_set,
            on_sent=self._tell_sent,
        )

    def _tell_sent(self, sent: Sent) -> None:
        self._log.event(
            "central.forward.chunk",
            level="debug",
            signal=SIGNAL,
            dataset=sent.dataset,
            chunk_index=sent.batches - 1,
            rows_so_far=sent.rows,
            bytes_so_far=sent.sent_bytes,
        )
        self._on_sent(sent)

    def _tell_busy(self, retry: int, delay_s: float, status: int) -> None:
        self._log.event(
            "central.forward.backpressure",
            level="warning",
            retry=retry,
            retry_after_seconds=delay_s,
            http_status=status,
        )

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
        raise StoppedError


def _log_result(log: RunLog, result: ExportResult) -> None:
    for sent in result.sent:
        if sent.withheld:
            log.event("central.forward.dropped", dataset=sent.dataset, rows=sent.withheld)
        if sent.set_aside:
            log.event(
                "central.forward.set_aside",
                level="warning",
                dataset=sent.dataset,
                rows=sent.set_aside,
                rows_without_room=sent.set_aside_lost,
            )
        if sent.error is not None:
            log.event(
                "central.forward.failed",
                level="error",
                dataset=sent.dataset,
                detail=sent.error,
                chunks_sent=sent.batches,
            )


def _record(
    home: HypHome, sink: CentralSink, result: ExportResult, stamp: str | None, now: datetime
) -> None:
    """Leave what came of it: for the status, and for whoever decides when to export again."""
    before = read_sink_status(home, sink.name)
    if before is None or before.fleet != sink.fleet:
        before = SinkStatus(fleet=sink.fleet, at="", status="")
    is_good = result.status == "exported"
    is_whole = is_good and not any(each.is_stopped for each in result.sent)
    write_sink_status(
        home,
        sink.name,
        SinkStatus(
            fleet=sink.fleet,
            at=iso_ms(now),
            status=result.status,
            rows=before.rows + sum(each.rows for each in result.sent),
            set_aside=before.set_aside + sum(each.set_aside for each in result.sent),
            set_aside_lost=before.set_aside_lost + sum(each.set_aside_lost for each in result.sent),
            withheld=before.withheld + sum(each.withheld for each in result.sent),
            failures=0 if is_good else before.failures + 1,
            error=result.error,
            exported_at=iso_ms(now) if is_whole else before.exported_at,
            cache_stamp=stamp if is_whole else before.cache_stamp,
        ),
    )
    if not is_good:
        export_id = f"{sink.name}-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        Outbox(home, sink.name).note_failure(export_id, result.error or "", result.retry, now)
