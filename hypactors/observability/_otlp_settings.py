"""What may keep an export from beginning, and the headers that it sends along."""

from __future__ import annotations

import importlib.util
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypactors.central import IdentityError, read_identity, url_fault
from hypactors.errors import ConfigError
from hypactors.files import OPEN_TO_OTHERS

if TYPE_CHECKING:
    from hypactors.paths import HypHome
    from hypactors.settings import Settings

INSTALL = "pip install 'hypactors[otel]'"
_NEEDED = "opentelemetry.exporter.otlp.proto.http"
_LARGEST_FILE = 65_536


@dataclass(frozen=True, slots=True)
class OtlpTarget:
    """Where to export, and what."""

    endpoint: str
    logs: bool
    traces: bool
    headers_file: Path | None
    gateway_id: str | None = None
    """How the central server knows this machine, once it has enrolled."""


def otlp_target(settings: Settings, home: HypHome) -> OtlpTarget | None:
    """Return where to; None when no export is asked for.

    Raises ``ConfigError`` when it cannot be done as it is asked for.
    """
    if settings.otlp_endpoint is None:
        return None
    endpoint = settings.otlp_endpoint.rstrip("/")
    fault = url_fault(endpoint)
    if fault is not None:
        raise ConfigError(f"otlp.endpoint {fault}")
    if not _is_installed():
        raise ConfigError(f"otlp.endpoint is set, but what exports is not installed: {INSTALL}")
    file = settings.otlp_headers_file
    headers_file = None if file is None else home.root / Path(file).expanduser()
    if headers_file is not None:
        read_headers(headers_file)
    return OtlpTarget(
        endpoint, settings.otlp_logs, settings.otlp_traces, headers_file, _gateway_id(home)
    )


def read_headers(path: Path) -> dict[str, str]:
    """Read ``Name: value`` lines. Raises ``ConfigError``, which tells no value."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            raw = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"otlp.headers_file {path} cannot be read ({error.strerror})") from error
    if mode & OPEN_TO_OTHERS:
        raise ConfigError(f"otlp.headers_file {path} can be read by others: chmod 600 it")
    if len(raw) > _LARGEST_FILE:
        raise ConfigError(f"otlp.headers_file {path} is too large for headers")
    return parse_headers(raw, str(path))


def parse_headers(raw: bytes, name: str) -> dict[str, str]:
    """Return the headers of a file: a line each, empty ones and comments (``#``) aside.

    >>> parse_headers(b"Authorization: Bearer x", "f")
    {'authorization': 'Bearer x'}
    """
    headers: dict[str, str] = {}
    for number, line in enumerate(raw.split(b"\n"), start=1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        key, colon, value = (part.strip() for part in text.partition(b":"))
        is_sound = key.replace(b"-", b"").replace(b"_", b"").isalnum() and value.isascii()
        if not colon or not is_sound or not value.decode("ascii").isprintable():
            raise ConfigError(f"otlp.headers_file {name}: line {number} is not 'Name: value'")
        headers[key.decode("ascii").lower()] = value.decode("ascii")
    return headers


def _gateway_id(home: HypHome) -> str | None:
    try:
        identity = read_identity(home.identity_file)
    except IdentityError:  # the central link says so
        return None
    return None if identity is None else identity.gateway_id


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec(_NEEDED) is not None
    except ModuleNotFoundError:
        return False
