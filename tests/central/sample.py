"""Identities, sinks and tokens for the tests of the wire."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from hypactors.central import CentralSink, Identity
from hypactors.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "canary-policy-token"
DAY_S = 86_400


def jwt(gateway_id: str = "gw-1", serial: int = 1) -> str:
    """Return a JWT as a server would make it; nobody here checks the signature."""
    claims = {"sub": gateway_id, "serial": serial}
    parts = [{"alg": "none"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join((*encoded, b"canary-signature")).decode()


def grant(
    serial: int = 1, *, days: float = 30, clock: ManualClock | None = None
) -> dict[str, object]:
    """Return what a server answers to a bootstrap or a refresh."""
    now = (clock or ManualClock()).now().timestamp()
    return {"jwt": jwt(serial=serial), "expires_at": int(now + days * DAY_S)}


def identity(url: str | None, *, remaining_s: float = 30 * DAY_S, **fields: str) -> Identity:
    expires_at = int(ManualClock().now().timestamp() + remaining_s)
    return Identity(jwt(), expires_at, "gw-1", central_url=url, **fields)


def sink(url: str, folder: Path, *, token: str | None = TOKEN) -> CentralSink:
    return CentralSink("central", url, folder / "id" / "identity.json", bootstrap_token=token)
