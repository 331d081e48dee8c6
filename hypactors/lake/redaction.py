"""What of a catalogue's properties, and of a config, is not for others to read.

Apart from the rest, as `hyp status` seldom needs it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_KEY = re.compile(
    "token|secret|passw|passphrase|credential|authorization|cookie"
    "|(api|access|account|private)[-_]?key|connection[-_]?string",
    re.IGNORECASE,
)
"""Too many hits hide a figure such as max_tokens; one too few shows a secret."""

GONE = "[redacted]"

_URL_PASSWORD = re.compile(r"://[^/:@]*:(.+)@", re.DOTALL)
_URL_SECRET = re.compile(r"[?&][^=&#]*(?:passw|token|secret|key)[^=&#]*=([^&#]+)", re.IGNORECASE)
# With a ? before an @ it cannot be told which of them is part of a password.
_URL_PARTS = re.compile(r"(?<=://)(.*\?.*@.*|.*@)|\?.*", re.DOTALL)
_QUOTED_PARTS = re.compile(r"""(?<=://)[^\s"']*@|[^\s"'/]*@|\?[^\s"']*""")


def bare_address(address: str) -> str:
    """Return it without user and password, and without what follows a ``?``.

    >>> bare_address("postgresql://me:pw@db.example/lake?connect_timeout=3")
    'postgresql://db.example/lake'
    """
    return _URL_PARTS.sub("", address)


def secrets_in(properties: Mapping[str, str]) -> list[str]:
    """Return what is secret among them, the longest first: one may be a part of another."""
    found: list[str] = []
    for key, value in properties.items():
        if SECRET_KEY.search(key):
            found.append(value)
        else:
            found += [*_URL_PASSWORD.findall(value), *_URL_SECRET.findall(value)]
    return sorted(found, key=len, reverse=True)


def without_secrets(text: str, properties: Mapping[str, str]) -> str:
    """Return one line of what a library says, without a secret that it may quote."""
    address = properties.get("uri")
    if address:
        text = text.replace(address, bare_address(address))
    for secret in secrets_in(properties):
        text = text.replace(secret, GONE)
    return " ".join(_QUOTED_PARTS.sub("", text).split())
