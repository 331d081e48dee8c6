"""The wire contract, as an ASGI application (central §2, §3 and §5, from the other end)."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from hypactors.central.server._ingest import Batch, BusyError
from hypactors.central.server._rows import BadBatchError, read_rows
from hypactors.central.server._store import Sighting, utc_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from starlette.requests import Request
    from structlog.typing import FilteringBoundLogger

    from hypactors.central.server._directory import Directory
    from hypactors.central.server._ingest import Ingester
    from hypactors.central.server._store import Gateway, Store
    from hypactors.central.server._tokens import Signer

LARGEST_BATCH = 32 * 1024 * 1024
LARGEST_REQUEST = 64 * 1024
BODY_TIMEOUT_S = 60.0
BUSY_RETRY_S = 5

STORED_SIGNAL = "proxy"
SIGNALS = frozenset({"logs", "traces", "metrics", STORED_SIGNAL})
_LONGEST_ID = 128


class RefusedError(Exception):
    """A request that is not served; its text goes to the client."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Services:
    """What the application works with."""

    store: Store
    directory: Directory
    signer: Signer
    ingester: Ingester
    log: FilteringBoundLogger
    now: Callable[[], datetime] = utc_now


def create_app(services: Services) -> Starlette:
    """Return the application. It closes nothing of ``services``."""
    wire = _Wire(services)
    return Starlette(
        routes=[
            Route("/v1/identity/bootstrap", wire.bootstrap, methods=["POST"]),
            Route("/v1/identity/refresh", wire.refresh, methods=["POST"]),
            Route("/v1/config", wire.config, methods=["GET"]),
            Route("/v1/ingest/{signal}", wire.ingest, methods=["POST"]),
            Route("/healthz", wire.health, methods=["GET"]),
        ],
        exception_handlers={
            RefusedError: _refused,
            HTTPException: _not_served,
            Exception: wire.failed,
        },
        lifespan=lambda _app: services.directory.kept_up_to_date(),
    )


class _Wire:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def health(self, _request: Request) -> Response:
        return _json({"status": "ok"})

    # Identity

    async def bootstrap(self, request: Request) -> Response:
        raw = await _body(request, LARGEST_REQUEST)
        try:
            secret = msgspec.json.decode(raw, type=_Bootstrap).bootstrap_token
        except (ValueError, RecursionError) as error:
            raise RefusedError(400, 'expected {"bootstrap_token": "..."}') from error
        now = self._services.now()
        store = self._services.store
        token = await run_in_threadpool(store.token_of, secret)
        if token is None or token.state(now) != "valid":
            state = "not known" if token is None else token.state(now)
            self._services.log.warning("enrolment_refused", token=token and token.id, why=state)
            raise RefusedError(401, f"the token is {state}")
        gateway = await run_in_threadpool(store.enrol, token, now)
        self._services.directory.enrolled(gateway)
        self._services.log.info("gateway_enrolled", gateway=gateway.id, token=token.id)
        return _json(asdict(self._services.signer.grant(gateway.id, now)))

    async def refresh(self, request: Request) -> Response:
        gateway = await self._gateway(request)
        return _json(asdict(self._services.signer.grant(gateway.id, self._services.now())))

    async def _gateway(self, request: Request) -> Gateway:
        """Return whose request it is. Raises ``RefusedError`` when nobody's that is known."""
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise RefusedError(401, "no identity was shown", **{"WWW-Authenticate": "Bearer"})
        gateway_id = self._services.signer.gateway_of(credential.strip(), self._services.now())
        if gateway_id is None:
            raise RefusedError(401, "the identity is not valid, or has ended")
        gateway = await self._services.directory.gateway(gateway_id)
        if gateway is None:
            raise RefusedError(401, "the identity is revoked")
        return gateway

    # Config

    async def config(self, request: Request) -> Response:
        gateway = await self._gateway(request)
        running = request.headers.get("if-none-match")
        directory = self._services.directory
        directory.saw(gateway.id, Sighting(int(self._services.now().timestamp()), running))
        config = directory.config(gateway.config)
        if config is None:
            raise RefusedError(404, f"no config {gateway.config} is registered")
        headers = {"ETag": config.etag}
        if running == config.etag:
            return Response(status_code=304, headers=headers)
        return Response(config.document, media_type="application/json", headers=headers)

    # Rows

    async def ingest(self, request: Request) -> Response:
        gateway = await self._gateway(request)
        signal = request.path_params["signal"]
        if signal not in SIGNALS:
            raise RefusedError(404, "there is no such signal")
        if signal != STORED_SIGNAL:
            raise RefusedError(422, f"this server keeps no {signal}")
        batch_id = request.headers.get("x-hyp-batch-id", "")
        if not (0 < len(batch_id) <= _LONGEST_ID and batch_id.isalnum()):
            raise RefusedError(400, "X-Hyp-Batch-Id must be up to 128 letters and digits")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RefusedError(415, "packed bodies are not taken")
        body = await _body(request, LARGEST_BATCH)
        try:
            rows = await run_in_threadpool(read_rows, body)
        except BadBatchError as error:
            raise RefusedError(422, str(error)) from error
        new_rows = 0
        if rows:
            new_rows = await self._store_rows(Batch(batch_id, gateway.id, rows))
        return _json({"rows": len(rows), "new_rows": new_rows}, status=202)

    async def _store_rows(self, batch: Batch) -> int:
        busy = RefusedError(503, "busy", **{"Retry-After": str(BUSY_RETRY_S)})
        try:
            waiting = self._services.ingester.submit(batch)
        except BusyError as error:
            raise busy from error
        try:
            return await asyncio.wrap_future(waiting)
        except Exception as error:
            raise busy from error

    async def failed(self, _request: Request, error: Exception) -> Response:
        self._services.log.error("request_failed", detail=repr(error))
        return _json({"error": "the server made a mistake"}, status=500)


class _Bootstrap(msgspec.Struct):
    bootstrap_token: str


async def _body(request: Request, most: int) -> bytes:
    """Read a body, bounded in size and time."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise RefusedError(413, f"at most {most} bytes are taken")
    chunks: list[bytes] = []
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in _stream(request):
                size += len(chunk)
                if size > most:
                    raise RefusedError(413, f"at most {most} bytes are taken")
                chunks.append(chunk)
            return b"".join(chunks)
    raise RefusedError(408, "the body came too slowly")


def _stream(request: Request) -> AsyncIterator[bytes]:
    return request.stream()


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - what it is registered for
    return _json({"error": str(error)}, status=error.status, headers=error.headers)


async def _not_served(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return _json({"error": error.detail}, status=error.status_code)


def _json(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )
