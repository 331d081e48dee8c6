"""The identity of one sink, acquired, kept fresh, and shared by everything that sends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.central._identity import (
    Identity,
    IdentityError,
    Step,
    fingerprint,
    gateway_id_of,
    is_token,
    next_step,
    read_identity,
    write_identity,
)

if TYPE_CHECKING:
    from hypactors.central._reply import Reply
    from hypactors.central._sinks import CentralSink
    from hypactors.central.client import CentralClient
    from hypactors.clock import Clock


class IdentityKeeper:
    """Gives the JWT for each request. For one event loop; other processes may share the file.

    A failed request leaves the identity as it was, in memory and on disk, and is not repeated
    here. Everything raises ``IdentityError`` when a person must act or the server refuses, and
    ``CentralUnreachableError`` when no reply came.
    """

    def __init__(self, client: CentralClient, sink: CentralSink, clock: Clock) -> None:
        self._client = client
        self._sink = sink
        self._clock = clock
        self._identity: Identity | None = None
        self._refreshing: asyncio.Task[str] | None = None
        self._is_closed = False

    def close(self) -> None:
        """Write nothing any more: the machine may be leaving, and what is under way comes late."""
        self._is_closed = True

    @property
    def gateway_id(self) -> str | None:
        return self._identity.gateway_id if self._identity else None

    async def acquire(self, *, may_bootstrap: bool = True) -> Step:
        """Have an identity: from the file, or from the server (central §2.2)."""
        found = read_identity(self._sink.identity_path)
        step = next_step(found, self._sink, self._clock.now())
        if step is Step.BOOTSTRAP:
            if not may_bootstrap:
                raise IdentityError("this machine is not enrolled yet; the daemon sees to it")
            await self._bootstrap()
        else:
            self._identity = found
            if step is Step.REFRESH:
                await self.refresh()
        return step

    async def current_jwt(self) -> str:
        """Return a JWT that is good for another day, by refreshing it if need be."""
        identity = self._acquired()
        if identity.is_due(self._clock.now()):
            return await self.refresh()
        return identity.jwt

    async def refresh(self) -> str:
        """Have the identity renewed. Callers that come meanwhile share the one request."""
        if self._refreshing is None:
            self._refreshing = asyncio.ensure_future(self._refresh())
            self._refreshing.add_done_callback(self._refreshed)
        # One caller that gives up must not take the request from the others.
        return await asyncio.shield(self._refreshing)

    def _refreshed(self, task: asyncio.Task[str]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()  # whoever waits gets it; if nobody does, nobody is to complain

    async def _refresh(self) -> str:
        identity = self._acquired()
        renewed = read_identity(self._sink.identity_path)
        is_ours = renewed is not None and renewed.gateway_id == identity.gateway_id
        if renewed and is_ours and renewed.jwt != identity.jwt:
            if not renewed.is_due(self._clock.now()):  # another process was here before
                self._identity = renewed
                return renewed.jwt
            identity = renewed
        reply = await self._client.refresh(identity.jwt)
        fresh = _identity_of(reply, "refresh", identity)
        self._keep(fresh)
        return fresh.jwt

    async def _bootstrap(self) -> None:
        token = self._sink.bootstrap_token
        if token is None:
            raise IdentityError(
                f"this machine is not enrolled with {self._sink.url}, and has no token to do so;"
                " run 'hyp join' with a token"
            )
        reply = await self._client.bootstrap(token)
        self._keep(
            msgspec.structs.replace(
                _identity_of(reply, "bootstrap", None),
                central_url=self._sink.url,
                bootstrap_token_fp=fingerprint(token),
            )
        )

    def _acquired(self) -> Identity:
        if self._identity is None:
            raise IdentityError("no identity has been acquired yet")
        return self._identity

    def _keep(self, identity: Identity) -> None:
        path = self._sink.identity_path
        if self._is_closed:
            raise IdentityError("the identity is not kept any more")
        try:
            write_identity(path, identity)
        except OSError as error:
            raise IdentityError(f"{path}: cannot be written ({error.strerror})") from error
        self._identity = identity


def _identity_of(reply: Reply, call: str, old: Identity | None) -> Identity:
    """Read the reply of ``call``. What the file says besides the JWT stays as it is."""
    if not reply.is_ok:
        raise IdentityError(f"identity {call} failed: {reply.status} {reply.detail()}")
    try:
        said: Any = msgspec.json.decode(reply.body or b"")
        granted = msgspec.convert(said, _Granted)
    except (ValueError, RecursionError) as error:
        raise IdentityError(
            f"identity {call} failed: the reply cannot be used ({error})"
        ) from error
    gateway_id = gateway_id_of(granted.jwt) or (old.gateway_id if old else None)
    if not is_token(granted.jwt) or granted.expires_at <= 0 or gateway_id is None:
        raise IdentityError(f"identity {call} failed: the reply holds no usable identity")
    if old is None:
        return Identity(granted.jwt, granted.expires_at, gateway_id)
    return msgspec.structs.replace(
        old, jwt=granted.jwt, expires_at=granted.expires_at, gateway_id=gateway_id
    )


class _Granted(msgspec.Struct):
    jwt: str
    expires_at: int
