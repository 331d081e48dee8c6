"""Addresses of repositories, without what nobody else should see."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"^([a-z][a-z0-9+.-]*://)[^@/]+@", re.IGNORECASE)


def redact_remote(remote: str) -> str:
    """Take the user and the secret out of a URL; ``git@host:path`` is left as it is.

    >>> redact_remote("https://sam:secret@example.com/a.git")
    'https://example.com/a.git'
    """
    return _USERINFO.sub(r"\1", remote)
