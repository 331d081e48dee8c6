"""The ``attributes`` column: what the message, its session and the gateway say (import §6.5)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from hypactors.providers._json import to_json_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.providers._protocol import Exchange, Message

_SYNTHESISED = {"identity_source": "gateway_fallback"}


class AttributesPrinter:
    """Prints the attributes of one exchange's messages as JSON, in UTF-8."""

    def __init__(self, exchange: Exchange) -> None:
        client = {"name": exchange.client_name, "version": exchange.client_version}
        present = {key: value for key, value in client.items() if value is not None}
        self._base: Mapping[str, Any] = {"client": present} if present else {}
        self._exchange = exchange.attributes or {}
        path = exchange.source_path.encode("utf-8", "surrogateescape")
        self._gateway = {
            "source": "backfill",
            "source_path_hash": hashlib.sha256(path).hexdigest()[:16],
            "native_id": exchange.native_id,
        }
        self._taken = {*self._base, *self._exchange, "gateway"}
        # Most rows differ only in the middle: the ends are printed once, unless they share a key.
        self._is_printed_in_pieces = self._exchange.keys().isdisjoint(self._base)
        self._head = _members(self._base)
        self._tails = tuple(
            _members(_merge([self._exchange, {"gateway": self._gateway | identity}]))
            for identity in (_SYNTHESISED, {})
        )
        self._bare = tuple(_object(self._head, tail) for tail in self._tails)

    def of(self, message: Message, *, has_one_part: bool) -> tuple[bytes, bytes]:
        """Return the attributes of a message's parts, and of its last part, which has the usage."""
        if not message.attributes and self._is_printed_in_pieces:
            bare = self._bare[bool(message.message_id)]
            return bare, bare
        own = dict(message.attributes or {})
        usage = own.pop("usage", None)
        # What a tool returned can be long: it is not printed for a part that is not there.
        is_plain_wanted = usage is None or not has_one_part
        if self._is_printed_in_pieces and self._taken.isdisjoint(own):
            tail = self._tails[bool(message.message_id)]
            middle = _members(own)
            plain = _object(self._head, middle, tail) if is_plain_wanted else b""
            if usage is None:
                return plain, plain
            if "usage" not in self._taken:
                return plain, _object(self._head, b'"usage":' + to_json_bytes(usage), middle, tail)
        identity = {} if message.message_id else _SYNTHESISED
        layers: list[Mapping[str, Any]] = [
            self._base,
            own,
            self._exchange,
            {"gateway": self._gateway | identity},
        ]
        plain = to_json_bytes(_merge(layers)) if is_plain_wanted else b""
        if usage is None:
            return plain, plain
        layers.insert(1, {"usage": usage})
        return plain, to_json_bytes(_merge(layers))


def _members(value: Mapping[str, Any]) -> bytes:
    """Return the JSON of an object without its braces."""
    return to_json_bytes(value)[1:-1] if value else b""


def _object(*members: bytes) -> bytes:
    return b"{" + b",".join(filter(None, members)) + b"}"


def _merge(layers: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge left to right; two objects under one key become one."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            present = merged.get(key)
            if isinstance(present, dict) and isinstance(value, dict):
                merged[key] = {**present, **value}
            else:
                merged[key] = value
    return merged
