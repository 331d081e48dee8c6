"""The server as a program: put together, bound, run until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn

from hypactors.central.server._app import Services, create_app
from hypactors.central.server._directory import Directory
from hypactors.central.server._ingest import Ingester
from hypactors.central.server._place import PUBLIC_URL
from hypactors.central.server._tokens import Signer, load_keys
from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.central.server._place import Place

STOP_S = 10
_BACKLOG = 2048


def serve(
    place: Place, *, host: str, port: int, public_url: str | None, say: Callable[[str], object]
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    ``say`` is given the one line that says that it listens. Raises ``HypError`` when it cannot.
    """
    store = place.open_store()
    signer = Signer(load_keys(place.folder / "jwt.keys"))
    log = _logger()
    lake = place.lake()
    try:
        listener = socket.create_server((host, port), family=_family(host), backlog=_BACKLOG)
    except OSError as error:
        raise HypError(f"cannot listen on {host}:{port} ({error.strerror or error})") from error
    url = f"http://{_shown(host)}:{listener.getsockname()[1]}/"
    store.set_fact(PUBLIC_URL, public_url or url)
    ingester = Ingester(lake, store, log)
    app = create_app(Services(store, Directory(store, log), signer, ingester, log))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_S,
        lifespan="on",
    )
    server = _Server(config, lambda: say(f"hyp central: ready pid={os.getpid()} url={url}"))
    # uvicorn raises a signal once more when it has shut down; what is taken in is to be committed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        server.run(sockets=[listener])
    finally:
        ingester.close()
        store.close()
    log.info("server_stopped")
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _logger() -> Any:
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.JSONRenderer(),
        ],
    )
