"""A server on loopback that answers each request as a test says, down to the bytes."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TRAP_S = 20.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def jwt(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    def json(self) -> Any:
        return json.loads(self.body)


class Peer(socketserver.StreamRequestHandler):
    """The connection that a request came over: answer it well, or badly."""

    server: _Listener

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while (request := self._read()) is not None:
                owner = self.server.owner
                owner.take(request)
                owner.answer(request, self)

    def _read(self) -> Request | None:
        first = self.rfile.readline().decode().split()
        if len(first) < 2:
            return None
        headers: dict[str, str] = {}
        while (line := self.rfile.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", "0")))
        return Request(first[0], first[1], headers, body)

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send a whole reply; ``retry_after="7"`` becomes a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.head(status, {"content-length": str(len(body))} | named)
        self.raw(body)

    def send_json(self, value: object, status: int = 200, **headers: str) -> None:
        self.send(status, json.dumps(value).encode(), **headers)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
        self.raw("\r\n".join((*lines, "", "")).encode())

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def close(self) -> None:
        """Cut the connection here."""
        raise ConnectionAbortedError

    def stay_silent(self) -> None:
        """Say nothing more until the client goes or the test ends."""
        self.connection.settimeout(TRAP_S)
        with contextlib.suppress(OSError):
            self.rfile.read(1)
        raise ConnectionAbortedError


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    owner: ScriptedServer


@dataclass
class ScriptedServer:
    """Use it as a context manager; ``answer`` may be changed at any time."""

    answer: Callable[[Request, Peer], None]
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._arrived = threading.Condition()
        self._listener = _Listener(("127.0.0.1", 0), Peer)
        self._listener.owner = self
        self.port = self._listener.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._listener.server_close()

    def take(self, request: Request) -> None:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()

    def wait_for(self, count: int) -> list[Request]:
        """Wait until so many requests have come."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= count, TRAP_S)
            return list(self.requests)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


def replies(*answers: Callable[[Request, Peer], None]) -> Callable[[Request, Peer], None]:
    """Answer the first request by the first, and so on; the last one serves all that follow."""
    left: Iterator[Callable[[Request, Peer], None]] = iter(answers)
    lock = threading.Lock()
    last = answers[-1]

    def answer(request: Request, peer: Peer) -> None:
        with lock:
            chosen = next(left, last)
        chosen(request, peer)

    return answer
