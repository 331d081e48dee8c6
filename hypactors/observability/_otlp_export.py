"""Follows the logs and hands on what is new, on a thread of its own (contract §10).

What is exported is what ``hyp logs`` shows: the files are the queue, so nothing that logs ever
waits for a collector, and the children of the daemon need to know of none.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from hypactors.observability._otlp_records import Record, Span, record_of
from hypactors.observability._otlp_traces import Traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from structlog.typing import FilteringBoundLogger

    from hypactors.clock import Clock
    from hypactors.logs import LogLine
    from hypactors.observability._otlp_settings import OtlpTarget

LOOK_S = 1.0
FLUSH_S = 2.0
"""How long a daemon that stops waits for the last batch."""
MOST_LINES = 4096
"""Of one look: more than these have come while a collector hung, and the newest are kept."""
BATCH = 512
TELL_AGAIN_S = 60.0
NOT_DELIVERED = "otlp_not_delivered"

Kind = Literal["logs", "spans"]
_T = TypeVar("_T", Record, Span)


class NewLines(Protocol):
    """Gives the lines of the logs that were added since the last look, by time."""

    def look(self) -> list[LogLine]: ...

    def close(self) -> None: ...


class Collector(Protocol):
    """Takes batches, and says why it took one not. It may block, for a bounded time."""

    def send_logs(self, records: Sequence[Record]) -> str | None: ...

    def send_spans(self, spans: Sequence[Span]) -> str | None: ...

    def close(self) -> None: ...


class Losses:
    """Counts what was not delivered, so that it is told at most once a minute."""

    def __init__(self) -> None:
        self._counts: dict[Kind, int] = {"logs": 0, "spans": 0}
        self._told_at: float | None = None

    def add(self, kind: Kind, items: Sequence[Record | Span]) -> None:
        """Count them, but for what tells of losses: that would be a reason to tell again."""
        self._counts[kind] += sum(
            not (isinstance(item, Record) and item.event == NOT_DELIVERED) for item in items
        )

    def take(self, now: float) -> Mapping[Kind, int] | None:
        """Return what is to be told now, by kind; None when nothing is, or not yet."""
        if not any(self._counts.values()):
            return None
        if self._told_at is not None and now - self._told_at < TELL_AGAIN_S:
            return None
        taken, self._counts = self._counts, {"logs": 0, "spans": 0}
        self._told_at = now
        return taken


class OtlpExport:
    """An export under way. ``trouble`` says what is wrong with it, for a status; None: nothing."""

    def __init__(
        self,
        target: OtlpTarget,
        *,
        lines: NewLines,
        earlier: Callable[[], Iterable[LogLine]],
        machine: str,
        clock: Clock,
        log: FilteringBoundLogger,
        connect: Callable[[OtlpTarget], Collector] | None = None,
    ) -> None:
        self.trouble: str | None = None
        self._target = target
        self._lines = lines
        self._earlier = earlier
        self._traces = Traces(machine)
        self._clock = clock
        self._log = log
        self._connect = connect or _connect
        self._losses = Losses()
        self._is_stopping = threading.Event()
        # A collector that hangs must not keep the process: it ends without this thread.
        self._thread = threading.Thread(target=self._run, name="otlp-export", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Send what is left, within ``FLUSH_S``."""
        self._is_stopping.set()
        self._thread.join(FLUSH_S)
        if self._thread.is_alive():
            self._log.warning(
                "otlp_not_delivered",
                detail=f"{self._target.endpoint} did not take what was logged last in time",
            )

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001 - the edge of a thread; the daemon goes on without
            self.trouble = f"logs and traces are not exported: {error}"
            self._log.error("otlp_export_failed", detail=repr(error))
        finally:
            self._lines.close()

    def _follow(self) -> None:
        collector = self._connect(self._target)
        self._log.info(
            "otlp_export_started",
            endpoint=self._target.endpoint,
            logs=self._target.logs,
            traces=self._target.traces,
        )
        try:
            for line in self._earlier():
                self._traces.take(line)
            while not self._is_stopping.wait(LOOK_S):
                self._export(collector)
            self._export(collector)
        finally:
            collector.close()

    def _export(self, collector: Collector) -> None:
        """Send what is new. What is not taken is lost, and of its kind no more is tried now."""
        records: list[Record] = []
        spans: list[Span] = []
        for line in self._lines.look():
            ref, span = self._traces.take(line)
            if self._target.logs:
                records.append(record_of(line, ref))
            if self._target.traces and span is not None:
                spans.append(span)
        why_no_logs = self._send("logs", records, collector.send_logs)
        why_no_spans = self._send("spans", spans, collector.send_spans)
        fault = why_no_logs or why_no_spans
        if fault is not None:
            self.trouble = f"{self._target.endpoint} did not take what was last sent: {fault}"
        elif records or spans:
            self.trouble = None
        losses = self._losses.take(self._clock.monotonic())
        if losses is not None:
            self._log.warning(
                "otlp_not_delivered",
                logs=losses["logs"],
                spans=losses["spans"],
                detail=self.trouble or f"more than {MOST_LINES} came at once",
            )

    def _send(
        self, kind: Kind, items: list[_T], send: Callable[[Sequence[_T]], str | None]
    ) -> str | None:
        """Send them in batches, and return why one was not taken; None when all were."""
        kept = items[-MOST_LINES:]
        self._losses.add(kind, items[: -len(kept)])
        for begin in range(0, len(kept), BATCH):
            fault = send(kept[begin : begin + BATCH])
            if fault is not None:
                self._losses.add(kind, kept[begin:])
                return fault
        return None


def _connect(target: OtlpTarget) -> Collector:
    from hypactors.observability._otlp_collector import (  # noqa: PLC0415 - loads OpenTelemetry
        OtlpCollector,
    )

    return OtlpCollector(target)
