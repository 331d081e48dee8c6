"""What becomes of the attributes of a message, its session and the gateway (import §6.5)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.providers import Exchange, Message, expand

KEYS = st.sampled_from(["claude", "codex", "client", "gateway", "usage", "x"])
VALUES = st.integers(0, 9) | st.dictionaries(
    st.sampled_from(["name", "source", "k"]), st.integers(0, 9)
)
ATTRIBUTES = st.none() | st.dictionaries(KEYS, VALUES)


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Merge as the spec says it, slowly."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(result.get(key), dict) and isinstance(value, dict)
            result[key] = {**result[key], **value} if both else value
    return result


@settings(max_examples=300)
@given(
    ATTRIBUTES, ATTRIBUTES, st.sampled_from([None, "m1"]), st.sampled_from([None, "2.0"]),
    st.integers(1, 3),
)  # fmt: skip
def test_the_right_wins_and_objects_become_one(
    own: dict[str, Any] | None,
    shared: dict[str, Any] | None,
    message_id: str | None,
    version: str | None,
    parts: int,
) -> None:
    """import 40 and 42: the usage is on the last part, and the path nowhere."""
    content = [{"type": "text", "text": "a"}] * parts
    exchange = Exchange(
        provider="p",
        session_id="s",
        client_name="c",
        client_version=version,
        source_path="/secret/path",
        native_id="n",
        attributes=shared,
        messages=[Message(role="user", content=content, message_id=message_id, attributes=own)],
    )

    rows = list(expand(exchange, now_ms=0))

    client = {"name": "c"} | ({} if version is None else {"version": version})
    digest = hashlib.sha256(b"/secret/path").hexdigest()[:16]
    gateway = {"source": "backfill", "source_path_hash": digest, "native_id": "n"}
    synthesised = {} if message_id else {"gateway": {"identity_source": "gateway_fallback"}}
    for row in rows:
        of_part = dict(own or {})
        if row is not rows[-1]:
            of_part.pop("usage", None)
        layers = ({"client": client}, of_part, shared or {}, {"gateway": gateway}, synthesised)
        assert json.loads(row.attributes) == merged(*layers)
        assert b"/secret" not in row.attributes
