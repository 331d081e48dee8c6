"""What comes back from a central server, or does not."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_BODY = 1024 * 1024
"""The largest reply that is read, in bytes; exactly so many still pass."""

_LONGEST_DETAIL = 200


class CentralUnreachableError(HypError):
    """No whole reply came: no connection, one that broke off, or the deadline."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that arrived. Header names are in lower case.

    ``body`` is None when it is larger than what is taken; then ``body_bytes`` says how large it
    is by its own account, or how much of it had come when it was broken off.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    body_bytes: int

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - the 2xx

    def without(self, secret: str) -> Reply:
        """Return the reply as it is, but for an error that repeats what it was asked with.

        What a server says of an error is logged and shown.
        """
        if self.is_ok or self.body is None or not secret:
            return self
        return replace(self, body=self.body.replace(secret.encode(), b"[secret]"))

    def detail(self) -> str:
        """Return what the server says of an error: its ``error`` field, else how it begins."""
        text = (self.body or b"").decode("utf-8", "replace")
        with contextlib.suppress(ValueError, RecursionError):
            said: Any = msgspec.json.decode(text)
            if isinstance(said, dict) and isinstance(said.get("error"), str):
                text = said["error"]
        shown = " ".join(text[:_LONGEST_DETAIL].split())
        return shown or _phrase(self.status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"
