"""One poll for the config: what is asked, and what the reply means (central §3)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from hypactors.central._backoff import LADDER_S, ladder_s, parse_retry_after, wait_s
from hypactors.central._identity import IdentityError
from hypactors.central._reply import LARGEST_BODY, CentralUnreachableError

if TYPE_CHECKING:
    from datetime import datetime

    from hypactors.central._keeper import IdentityKeeper
    from hypactors.central._reply import Reply
    from hypactors.central.client import CentralClient

_NOT_REGISTERED_WAIT_S = 300.0
LONGEST_THROTTLE_S = LADDER_S[-1]
"""A server that asks for more patience is not taken at its word: a trial that no poll ends in time
is lost."""

_OK, _NOT_MODIFIED, _UNAUTHORIZED, _NOT_FOUND = 200, 304, 401, 404
_THROTTLED = frozenset({429, 503})


class Failure(enum.StrEnum):
    """Why a poll gave nothing; the kinds of central §3, and one of our own for enrolling."""

    TOO_LARGE = "config_document_too_large"
    NO_ETAG = "config_missing_etag"
    NOT_JSON = "config_invalid_json"
    AUTH_FAILED = "config_poll_auth_failed"
    NOT_REGISTERED = "no_config_registered_legacy"
    THROTTLED = "config_poll_throttled"
    HTTP_ERROR = "config_poll_http_error"
    ERROR = "config_poll_error"
    NOT_ENROLLED = "identity_not_acquired"


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What runs is what the server has registered."""

    etag: str | None
    status: int = _NOT_MODIFIED


@dataclass(frozen=True, slots=True)
class Served:
    """A document (JSON text) to try, under the etag that the server gave it."""

    document: bytes = field(repr=False)
    etag: str
    status: int = _OK


@dataclass(frozen=True, slots=True)
class PollFailure:
    """No usable answer, and why: ``message`` is one line. ``status`` is that of a reply."""

    kind: Failure
    message: str
    status: int | None = None
    retry_after_s: float | None = None
    body_bytes: int | None = None


PollResult = Unchanged | Served | PollFailure


async def poll(
    client: CentralClient, keeper: IdentityKeeper, etag: str | None, now: datetime
) -> PollResult:
    """Ask once, and once more with a renewed identity when the first is not accepted.

    ``etag`` must be that of the config that runs, never of one that is only staged: the server
    reads from it who has converged. It raises nothing that a server or a network can cause.
    """
    try:
        jwt = await keeper.current_jwt()
        reply = await client.get_config(jwt, etag)
        if reply.status == _UNAUTHORIZED:
            jwt = await keeper.refresh()
            reply = await client.get_config(jwt, etag)
    except (CentralUnreachableError, IdentityError) as error:
        return PollFailure(Failure.ERROR, str(error))
    return judge(reply, etag, now)


def judge(reply: Reply, etag: str | None, now: datetime) -> PollResult:
    """Say what a reply to a poll means. On 200 the order is size, etag, JSON."""
    status = reply.status
    if status == _OK:
        return _served(reply)
    if status == _NOT_MODIFIED:
        return Unchanged(etag)
    if status == _UNAUTHORIZED:
        return PollFailure(Failure.AUTH_FAILED, f"not accepted: {reply.detail()}", status)
    if status == _NOT_FOUND:
        return PollFailure(
            Failure.NOT_REGISTERED, "the server has no config for this machine", status
        )
    if status in _THROTTLED:
        return PollFailure(
            Failure.THROTTLED,
            f"the server is busy ({status})",
            status,
            retry_after_s=parse_retry_after(reply.headers.get("retry-after"), now),
        )
    return PollFailure(Failure.HTTP_ERROR, f"{status} {reply.detail()}", status)


def _served(reply: Reply) -> PollResult:
    if reply.body is None:
        return PollFailure(
            Failure.TOO_LARGE,
            f"the config has {reply.body_bytes} bytes or more; at most {LARGEST_BODY} are taken",
            reply.status,
            body_bytes=reply.body_bytes,
        )
    etag = reply.headers.get("etag", "")
    if not etag:
        return PollFailure(Failure.NO_ETAG, "the reply has no ETag", reply.status)
    try:
        msgspec.json.decode(reply.body)
    except (ValueError, RecursionError) as error:
        return PollFailure(Failure.NOT_JSON, f"the config is not JSON ({error})", reply.status)
    return Served(reply.body, etag)


def next_poll_s(result: PollResult, failures: int, interval_s: float, jitter: float) -> float:
    """Return the wait until the next poll. ``failures`` counts this one, if it is one."""
    if not isinstance(result, PollFailure):
        return interval_s
    match result.kind:
        case Failure.NOT_REGISTERED:
            return max(_NOT_REGISTERED_WAIT_S, interval_s)
        case Failure.THROTTLED:
            return wait_s(result.retry_after_s, failures, jitter, LONGEST_THROTTLE_S)
        case _:
            return ladder_s(failures, jitter)
