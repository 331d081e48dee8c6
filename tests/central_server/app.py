"""The server's application in this process: no socket, the real store and the real table."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import structlog

from hypactors.central.server import Services, Store, create_app
from hypactors.central.server._directory import Directory
from hypactors.central.server._ingest import Ingester
from hypactors.central.server._tokens import Signer
from hypactors.clock import ManualClock
from hypactors.lake import Lake
from hypactors.sql import query

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

URL = "https://hyp.example.com/"


def document(**claude: object) -> bytes:
    """Return a config that this server may serve."""
    return json.dumps(
        {
            "version": 2,
            "plugins": [
                {"name": "@hypaware/central"},
                {"name": "@hypaware/claude", "config": {"backfill": claude}},
            ],
            "sinks": {
                "central": {"plugin": "@hypaware/central", "config": {"url": URL, "identity": {}}}
            },
        }
    ).encode()


def line(name: str, **columns: object) -> dict[str, Any]:
    """Return a row as it is on the wire."""
    return {
        "gateway_id": "g",
        "schema_version": 1,
        "session_id": "s",
        "provider": "anthropic",
        "client_name": "claude",
        "conversation_started_at": "2026-06-25T08:00:00.000Z",
        "message_id": name,
        "message_index": 0,
        "message_created_at": "2026-06-25T08:00:00.123Z",
        "role": "user",
        "part_id": name,
        "part_index": 0,
        "part_type": "text",
        "date": "2026-06-25",
        **columns,
    }


def batch(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


class App:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.store = Store.in_folder(folder)
        self.lake = Lake(folder / "lake")
        self.logged = structlog.testing.LogCapture()
        self.log = structlog.wrap_logger(None, processors=[self.logged])
        self.signer = Signer(("k" * 40,))
        self.directory = Directory(self.store, self.log)
        self.ingester = Ingester(self.lake, self.store, self.log)
        services = Services(
            self.store, self.directory, self.signer, self.ingester, self.log, self.clock.now
        )
        self.app = create_app(services)

    def close(self) -> None:
        self.ingester.close()
        self.store.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str = b"",
        *,
        jwt: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if jwt is not None:
            named["authorization"] = f"Bearer {jwt}"

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return await client.request(method, path, content=body, headers=named)

        self.directory.load()
        response = asyncio.run(run())
        self.directory.flush()
        return response

    def token(self, config: str = "team", *, lasts: timedelta | None = None) -> str:
        return self.store.create_token(config, self.clock.now(), lasts=lasts)[1]

    def bootstrap(self, token: str) -> httpx.Response:
        return self.ask("POST", "/v1/identity/bootstrap", json.dumps({"bootstrap_token": token}))

    def enrol(self, config: str = "team") -> str:
        """Return the JWT of a new machine."""
        granted = self.bootstrap(self.token(config))
        assert granted.status_code == 200, granted.text
        jwt: str = granted.json()["jwt"]
        return jwt

    def ingest(
        self, jwt: str, body: bytes, batch_id: str = "b1", signal: str = "proxy", **headers: str
    ) -> httpx.Response:
        return self.ask(
            "POST", f"/v1/ingest/{signal}", body, jwt=jwt, x_hyp_batch_id=batch_id, **headers
        )

    def rows(self) -> list[str]:
        sql = "select part_id from ai_gateway_messages order by part_id"
        return [part_id for (part_id,) in query(self.lake, sql).rows]
