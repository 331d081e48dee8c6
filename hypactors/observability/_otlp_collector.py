"""The collector: the one place that loads OpenTelemetry, and only when something is exported."""

from __future__ import annotations

import logging
import platform
import time
from typing import TYPE_CHECKING

import requests
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from hypactors import __version__
from hypactors.observability._otlp_settings import read_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypactors.observability._otlp_records import Record, Span, SpanRef
    from hypactors.observability._otlp_settings import OtlpTarget

REQUEST_S = 10.0
"""How long one batch may take, with what is tried again within it."""

LONGEST_FAULT = 500

_SEVERITIES = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
_SCOPE = InstrumentationScope("hypactors", __version__)


class OtlpCollector:
    """Sends batches to one collector. For a single thread.

    Headers, certificates and compression of the ``OTEL_EXPORTER_OTLP_*`` variables are used; a
    header of the file wins.
    """

    def __init__(self, target: OtlpTarget) -> None:
        headers = None if target.headers_file is None else read_headers(target.headers_file)
        self._talk = _Talk()
        about = {
            "service.name": "hypactors",
            "service.version": __version__,
            "host.name": platform.node(),
        }
        if target.gateway_id is not None:
            about["service.instance.id"] = target.gateway_id
        self._resource = Resource.create(about)
        session = requests.Session()
        session.max_redirects = 0  # a credential never follows one
        # As with the central server: a proxy would read what is sent in the clear.
        session.trust_env = target.endpoint.startswith("https:")
        self._logs = OTLPLogExporter(
            f"{target.endpoint}/v1/logs", headers=headers, timeout=REQUEST_S, session=session
        )
        self._spans = OTLPSpanExporter(
            f"{target.endpoint}/v1/traces", headers=headers, timeout=REQUEST_S, session=session
        )

    def send_logs(self, records: Sequence[Record]) -> str | None:
        """Send them, and return why they were not taken; None when they were."""
        batch = [self._log_record(record) for record in records]
        return self._fault_of(lambda: self._logs.export(batch) is LogRecordExportResult.SUCCESS)

    def send_spans(self, spans: Sequence[Span]) -> str | None:
        """Send them, and return why they were not taken; None when they were."""
        batch = [self._span(span) for span in spans]
        return self._fault_of(lambda: self._spans.export(batch) is SpanExportResult.SUCCESS)

    def close(self) -> None:
        self._logs.shutdown()  # type: ignore[no-untyped-call]
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        self._talk.end()

    def _fault_of(self, export: Callable[[], bool]) -> str | None:
        try:
            return None if export() else self._talk.last
        except requests.RequestException as error:  # older exporters let some of these through
            return str(error)[:LONGEST_FAULT]

    def _log_record(self, record: Record) -> ReadableLogRecord:
        context = None
        if record.span is not None:
            context = set_span_in_context(NonRecordingSpan(_context(record.span)))
        return ReadableLogRecord(
            LogRecord(
                timestamp=record.time_ns,
                observed_timestamp=time.time_ns(),
                context=context,
                severity_text=record.level,
                severity_number=_SEVERITIES.get(record.level, SeverityNumber.UNSPECIFIED),
                body=record.event,
                attributes=record.attributes,
                event_name=record.event,
            ),
            self._resource,
            _SCOPE,
        )

    def _span(self, span: Span) -> ReadableSpan:
        status = Status(StatusCode.OK)
        if span.failure is not None:
            status = Status(StatusCode.ERROR, span.failure)
        return ReadableSpan(
            span.name,
            context=_context(span.ref),
            parent=None if span.parent is None else _context(span.parent),
            resource=self._resource,
            attributes=span.attributes,
            status=status,
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=_SCOPE,
        )


def _context(ref: SpanRef) -> SpanContext:
    sampled = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(ref.trace_id, ref.span_id, is_remote=False, trace_flags=sampled)


class _Talk(logging.Handler):
    """What the exporters log is the only place where they say why; the daemon's stderr is not it.

    A reason that stays the same is not said again, so the last one holds.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = "no reason was given"
        self._logger = logging.getLogger("opentelemetry")
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()[:LONGEST_FAULT]

    def end(self) -> None:
        self._logger.removeHandler(self)
