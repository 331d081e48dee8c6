"""Who this machine is to a central server: the file that says it, and what to do about it."""

from __future__ import annotations

import base64
import enum
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.errors import HypError
from hypactors.files import ensure_private_dir, read_if_present, remove, write_atomic

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from hypactors.central._sinks import CentralSink

REFRESH_AHEAD_S = 86_400
LOGIN = "login"


class IdentityError(HypError):
    """The machine cannot show who it is; the text says what to do about it."""


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ``identity.json`` holds (central §2.1). ``expires_at`` is in seconds of the epoch."""

    jwt: str
    expires_at: int
    gateway_id: str
    central_url: str | None = None
    bootstrap_token_fp: str | None = None
    origin: str | None = None

    def __repr__(self) -> str:  # a JWT must not get into a log by way of a repr
        return f"Identity(gateway_id={self.gateway_id!r}, expires_at={self.expires_at})"

    def is_due(self, now: datetime) -> bool:
        """Say whether it should be refreshed before it is used."""
        return self.expires_at - now.timestamp() <= REFRESH_AHEAD_S


class Step(enum.Enum):
    """What an identity needs before it can be used."""

    BOOTSTRAP = "bootstrapped"
    REFRESH = "refreshed"
    LOAD = "loaded"


def next_step(identity: Identity | None, sink: CentralSink, now: datetime) -> Step:
    """Decide by the table of central §2.2. Raises ``IdentityError`` when a person must act."""
    if identity is None:
        return Step.BOOTSTRAP
    is_elsewhere = identity.central_url is not None and identity.central_url != sink.url
    if sink.bootstrap_token is not None:
        is_known = identity.bootstrap_token_fp == fingerprint(sink.bootstrap_token)
        if is_elsewhere or (identity.origin != LOGIN and not is_known):
            return Step.BOOTSTRAP
    elif is_elsewhere:
        remedy = "hyp remote login" if identity.origin == LOGIN else "hyp join"
        raise IdentityError(
            f"this machine is enrolled with {identity.central_url}, and the config names"
            f" {sink.url}; run '{remedy} {sink.url}' to enrol there"
        )
    return Step.REFRESH if identity.is_due(now) else Step.LOAD


def fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def is_token(text: str) -> bool:
    """Say whether this can stand in a header; one that cannot would show up in an error."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def gateway_id_of(jwt: str) -> str | None:
    """Return the subject of a JWT. The signature is the server's to check."""
    try:
        payload = jwt.split(".")[1]
        padded = payload + "=" * (-len(payload) % 4)
        claims: Any = msgspec.json.decode(base64.urlsafe_b64decode(padded))
        subject = claims["sub"]
    except (ValueError, IndexError, KeyError, TypeError, RecursionError):
        return None
    return subject if isinstance(subject, str) and subject else None


def read_identity(path: Path) -> Identity | None:
    """Return the identity of a file, None when there is no file.

    Raises ``IdentityError`` for anything else than a good one: a second identity must not be made
    because the first could not be read.
    """
    try:
        raw = read_if_present(path)
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error
    if raw is None:
        return None
    try:
        fields: Any = msgspec.json.decode(raw)
        if isinstance(fields, dict) and fields.get("origin") != LOGIN:
            fields.pop("origin", None)
        identity = msgspec.convert(fields, Identity)
    except (ValueError, RecursionError) as error:
        raise _unusable(path, f"is no identity ({error})") from error
    if not is_token(identity.jwt) or not identity.gateway_id or identity.expires_at <= 0:
        raise _unusable(path, "is no identity (an empty or impossible field)")
    return identity


def _unusable(path: Path, why: str) -> IdentityError:
    return IdentityError(f"{path}: {why}; 'hyp leave' and then 'hyp join' enrol this machine anew")


def write_identity(path: Path, identity: Identity) -> None:
    """Put the identity on disk for its owner alone. Raises ``OSError``."""
    if not path.parent.exists():  # one that is there may be anybody's: a config names the path
        ensure_private_dir(path.parent)
    write_atomic(path, msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n")


def delete_identity(path: Path, *, is_named_by_config: bool) -> bool:
    """Delete the file; say whether it was there.

    One that a config names must be an identity: no config shall have another file deleted.
    Raises ``IdentityError`` when it is none or cannot be deleted.
    """
    if is_named_by_config and read_identity(path) is None:
        return False
    try:
        return remove(path)
    except OSError as error:
        raise IdentityError(f"{path}: cannot be deleted ({error.strerror})") from error
