"""Configs and gateways in memory, so that a fleet that polls costs the database next to nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from structlog.typing import FilteringBoundLogger

    from hypactors.central.server._store import Config, Gateway, Sighting, Store, Token

REFRESH_S = 1.0
"""How soon a change by the administration, or a poll, is seen by the other side."""


class Directory:
    """A copy of the store that is at most `REFRESH_S` old, and the polls that it has not seen yet.

    For one event loop, but for ``load`` and ``flush``.
    """

    def __init__(self, store: Store, log: FilteringBoundLogger) -> None:
        self._store = store
        self._log = log
        self._configs: Mapping[str, Config] = {}
        self._tokens: Mapping[str, Token] = {}
        self._gateways: dict[str, Gateway] = {}
        self._sightings: dict[str, Sighting] = {}

    def load(self) -> None:
        """Read what the administration may have changed."""
        self._configs = self._store.configs()
        self._tokens = self._store.tokens()

    def flush(self) -> None:
        """Write the polls down."""
        sightings, self._sightings = self._sightings, {}
        self._store.saw(sightings)

    @contextlib.asynccontextmanager
    async def kept_up_to_date(self) -> AsyncIterator[None]:
        """Load and flush again and again while the server runs."""
        await run_in_threadpool(self.load)
        task = asyncio.ensure_future(self._keep())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            await run_in_threadpool(self.flush)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await run_in_threadpool(self.flush)
                await run_in_threadpool(self.load)
            except Exception as error:  # noqa: BLE001 - a database that is away comes back
                self._log.error("state_not_reached", detail=type(error).__name__)

    def config(self, name: str) -> Config | None:
        return self._configs.get(name)

    def saw(self, gateway_id: str, sighting: Sighting) -> None:
        self._sightings[gateway_id] = sighting

    def enrolled(self, gateway: Gateway) -> None:
        self._gateways[gateway.id] = gateway

    async def gateway(self, gateway_id: str) -> Gateway | None:
        """Return a gateway whose token is not revoked."""
        found = self._gateways.get(gateway_id)
        if found is None:
            found = await run_in_threadpool(self._store.gateway, gateway_id)
            if found is None:
                return None
            self._gateways[gateway_id] = found
        token = self._tokens.get(found.token)
        if token is None:  # made since the last look
            await run_in_threadpool(self.load)
            token = self._tokens.get(found.token)
        return None if token is None or token.revoked_at is not None else found
