"""The JWT by which a gateway shows who it is: signed by this server, and read by nobody else."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import jwt

from hypactors.errors import HypError
from hypactors.files import read_if_present, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

LASTS = timedelta(days=30)
_ALGORITHM = "HS256"
_ISSUER = "hypactors"
_KEY_BYTES = 48


class KeyFileError(HypError):
    """The key that signs identities cannot be used."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A JWT, and when it ends in seconds of the epoch."""

    jwt: str
    expires_at: int


class Signer:
    """Signs and reads identities with the newest key; ones of earlier keys are read as well."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = keys

    def grant(self, gateway_id: str, now: datetime) -> Grant:
        expires_at = int((now + LASTS).timestamp())
        claims = {
            "sub": gateway_id,
            "iss": _ISSUER,
            "iat": int(now.timestamp()),
            "exp": expires_at,
            # Two grants of one second are still two.
            "jti": secrets.token_hex(8),
        }
        return Grant(jwt.encode(claims, self._keys[0], algorithm=_ALGORITHM), expires_at)

    def gateway_of(self, text: str, now: datetime) -> str | None:
        """Return the gateway that this JWT is of; None when it is not ours, or has ended."""
        for key in self._keys:
            try:
                claims = jwt.decode(
                    text,
                    key,
                    algorithms=[_ALGORITHM],
                    issuer=_ISSUER,
                    # Judged below by the clock of this program.
                    options={"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False},
                )
            except jwt.InvalidTokenError:
                continue
            ends_at = claims["exp"]
            is_current = isinstance(ends_at, int) and ends_at > now.timestamp()
            return claims["sub"] if is_current else None
        return None


def load_keys(path: Path) -> tuple[str, ...]:
    """Return the keys of a file, newest first, one a line; make the file when there is none.

    To change the key put a new line first, and take the old ones out after 30 days.
    """
    try:
        raw = read_if_present(path)
        if raw is None:
            raw = f"{secrets.token_urlsafe(_KEY_BYTES)}\n".encode()
            write_atomic(path, raw)
        keys = tuple(raw.decode("ascii").split())
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{path}: cannot be used as the key of this server ({error})") from error
    if not keys or any(len(key) < 32 for key in keys):  # noqa: PLR2004 - the bytes of the hash
        raise KeyFileError(f"{path}: each line must be a key of at least 32 characters")
    return keys
