"""The address of a central server: what may be one, and what identifies a fleet."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def url_fault(url: str) -> str | None:
    """Say why this cannot be the address of a central server; None when it can.

    The token of a machine and its history travel there: in the clear only to the machine itself.

    >>> url_fault("https://hyp.example.com/base")
    >>> url_fault("http://127.0.0.1:8000")
    >>> url_fault("ftp://hyp.example.com")
    'must be an http(s) URL, such as https://hyp.example.com/'
    """
    parts = _split(url)
    if parts is None:
        return "is not a valid URL; it should look like https://hyp.example.com/"
    if parts.scheme not in _DEFAULT_PORTS:
        return "must be an http(s) URL, such as https://hyp.example.com/"
    if not parts.hostname:
        return "is not a valid URL: it names no host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user name or a password: it is shown and logged"
    if parts.query or parts.fragment:
        return "must end with its path: no '?' and no '#'"
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        return "must be https: plain http is only for a server on this machine"
    return None


def endpoint(url: str, path: str) -> str:
    """Return the address of a call; the server's own path is kept.

    >>> endpoint("https://h/x", "v1/config")
    'https://h/x/v1/config'
    """
    return f"{url}{'' if url.endswith('/') else '/'}{path}"


def fleet_of(url: str) -> str:
    """Return what is the same for all machines of one fleet: scheme, host, port and base path.

    >>> fleet_of("https://Hyp.example.com/x/")
    'https://hyp.example.com:443/x'
    """
    parts = _split(url)
    if parts is None or not parts.hostname:
        return url
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"


def _split(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:
        return None
    return parts if parts.scheme else None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
