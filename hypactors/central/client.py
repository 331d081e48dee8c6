"""Requests to a central server: each bounded in time and size as a whole, none repeated here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import httpx
import msgspec

from hypactors import __version__
from hypactors.central._reply import LARGEST_BODY, CentralUnreachableError, Reply
from hypactors.central._urls import endpoint

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

DEADLINE_S = 30.0
"""How long one request may take, from the first byte out to the last byte in (central §3)."""


class CentralClient:
    """Talks to one server. Use it as an async context manager, in one event loop.

    Redirects are replies like others: a credential never follows one. A proxy of the environment
    is used for https alone, as it would read what is sent in the clear.
    """

    def __init__(
        self,
        url: str,
        *,
        deadline_s: float = DEADLINE_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._deadline_s = deadline_s
        self._http = httpx.AsyncClient(
            transport=transport,
            follow_redirects=False,
            trust_env=url.startswith("https:"),
            timeout=None,  # noqa: S113 - the deadline bounds the whole; a silence within it may be
            headers={
                # Packed bodies could pass the cap by unpacking.
                "accept-encoding": "identity",
                "user-agent": f"hypactors/{__version__}",
            },
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def bootstrap(self, token: str) -> Reply:
        """Exchange a policy token for an identity (central §2.3)."""
        body = msgspec.json.encode({"bootstrap_token": token})
        headers = {"content-type": "application/json"}
        reply = await self._ask("POST", "v1/identity/bootstrap", headers, body)
        return reply.without(token)

    async def refresh(self, jwt: str) -> Reply:
        """Exchange an identity for one that lasts longer."""
        reply = await self._ask("POST", "v1/identity/refresh", _bearer(jwt))
        return reply.without(jwt)

    async def get_config(self, jwt: str, etag: str | None) -> Reply:
        """Ask for the config; ``etag`` is that of the config that runs, if it has one."""
        condition = {} if etag is None else {"if-none-match": etag}
        reply = await self._ask("GET", "v1/config", _bearer(jwt) | condition)
        return reply.without(jwt)

    async def post_batch(self, signal: str, body: bytes, batch_id: str, jwt: str) -> Reply:
        """Send one batch of rows, a JSON object a line (central §5.3)."""
        headers = {"content-type": "application/x-ndjson", "x-hyp-batch-id": batch_id}
        reply = await self._ask("POST", f"v1/ingest/{signal}", _bearer(jwt) | headers, body)
        return reply.without(jwt)

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        address = endpoint(self._url, path)
        return await self._within_deadline(self._exchange(method, address, headers, body))

    async def _within_deadline(self, exchange: Coroutine[Any, Any, Reply]) -> Reply:
        """Await the exchange, but not beyond the deadline, even if it ignores its cancelling."""
        task = asyncio.ensure_future(exchange)
        try:
            await asyncio.wait({task}, timeout=self._deadline_s)
        finally:
            if not task.done():
                task.cancel()
                task.add_done_callback(_forget)
        if not task.done():
            raise CentralUnreachableError(
                f"failed to reach central server {self._url}: the request exceeded its deadline"
                f" of {self._deadline_s:g} s"
            )
        try:
            return task.result()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise CentralUnreachableError(
                f"failed to reach central server {self._url}: {why}"
            ) from error

    async def _exchange(
        self, method: str, address: str, headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        async with self._http.stream(
            method, address, headers=dict(headers), content=body
        ) as response:
            seen = {name.lower(): value for name, value in response.headers.items()}
            declared = seen.get("content-length", "")
            if declared.isdecimal() and int(declared) > LARGEST_BODY:
                return Reply(response.status_code, seen, None, int(declared))
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > LARGEST_BODY:
                    return Reply(response.status_code, seen, None, size)
                chunks.append(chunk)
            return Reply(response.status_code, seen, b"".join(chunks), size)


def _bearer(jwt: str) -> dict[str, str]:
    return {"authorization": f"Bearer {jwt}"}


def _forget(task: asyncio.Task[Reply] | asyncio.Future[Reply]) -> None:
    """Take the result of an exchange that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
