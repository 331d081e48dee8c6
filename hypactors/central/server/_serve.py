"""The server as a program: put together, bound, run until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn

from hypactors.cache import Lake
from hypactors.central.server._app import Services, create_app
from hypactors.central.server._directory import Directory
from hypactors.central.server._ingest import Ingester
from hypactors.central.server._store import Store
from hypactors.central.server._tokens import Signer, load_keys
from hypactors.errors import HypError
from hypactors.files import ensure_private_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PUBLIC_URL = "public_url"
STOP_S = 10
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server keeps its things: all in ``folder``, but for what has a place of its own."""

    folder: Path
    database: str | None = None
    catalog: Path | None = None

    def open_store(self) -> Store:
        """Open the state, and make it when it is not there."""
        ensure_private_dir(self.folder)
        return Store(self.database) if self.database else Store.in_folder(self.folder)

    def lake(self) -> Lake:
        return Lake(self.folder / "lake", self._properties())

    def _properties(self) -> dict[str, str]:
        if self.catalog is None:
            return {}
        try:
            properties = tomllib.loads(self.catalog.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise HypError(f"{self.catalog}: cannot be read as a catalogue ({error})") from error
        if not properties or not all(isinstance(value, str) for value in properties.values()):
            raise HypError(f'{self.catalog}: must hold texts, such as type = "rest"')
        return properties


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
