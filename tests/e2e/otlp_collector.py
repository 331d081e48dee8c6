"""A collector on loopback that keeps what it is sent, and can refuse or hang."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


class OtlpReceiver:
    """What has arrived. ``status`` is what it answers; it answers nothing while ``hangs``."""

    def __init__(self, *, status: int = 200, hangs: bool = False) -> None:
        self.status = status
        self.logs: list[LogRecord] = []
        self.spans: list[Span] = []
        self.resources: list[dict[str, str | int]] = []
        self.headers: list[dict[str, str]] = []
        self.is_asked = threading.Event()
        self.answers = threading.Event()
        if not hangs:
            self.answers.set()
        self.url = ""

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/logs":
            for logs in ExportLogsServiceRequest.FromString(body).resource_logs:
                self.resources.append(values(logs.resource.attributes))
                self.logs.extend(log for scope in logs.scope_logs for log in scope.log_records)
        elif path == "/v1/traces":
            for traces in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans.extend(span for scope in traces.scope_spans for span in scope.spans)
        else:
            raise AssertionError(path)

    def log(self, event: str) -> LogRecord:
        [found] = [log for log in self.logs if log.event_name == event]
        return found

    def span(self, name: str) -> Span:
        [found] = self.spans_of(name)
        return found

    def spans_of(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


def values(attributes: Sequence[KeyValue]) -> dict[str, str | int]:
    """Return attributes by key: texts and whole numbers."""
    return {each.key: each.value.string_value or each.value.int_value for each in attributes}


@contextlib.contextmanager
def receiving(receiver: OtlpReceiver) -> Iterator[OtlpReceiver]:
    """Let it listen until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.headers.append({key.lower(): text for key, text in self.headers.items()})
            receiver.is_asked.set()
            receiver.answers.wait()
            if receiver.status == 200:
                receiver.take(self.path, body)
            with contextlib.suppress(OSError):  # whoever asked may have given up
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.answers.set()
        server.shutdown()
        thread.join()
        server.server_close()
