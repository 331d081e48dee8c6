"""One batch on its way to the server: until it is acknowledged, refused, or has to wait."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hypactors.central import CentralUnreachableError, IdentityError, parse_retry_after, wait_s
from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hypactors.central import Reply
    from hypactors.clock import Clock

PATIENCE_S = 300.0
"""How long one batch may be kept waiting by a busy server, in all (central §5.3)."""

_UNAUTHORIZED = 401
_BUSY = frozenset({429, 503})
_REFUSED = frozenset({400, 413, 422})


class PostFailedError(HypError):
    """The batch could not be sent now; later it may."""


class StoppedError(Exception):
    """The export is to end here."""


class Verdict(enum.Enum):
    """What the server made of a batch."""

    STORED = "stored"
    REFUSED = "refused"
    """It will never be stored."""


@dataclass(frozen=True, slots=True)
class Posted:
    verdict: Verdict
    reason: str = ""


class Client(Protocol):
    async def post_batch(self, signal: str, body: bytes, batch_id: str, jwt: str) -> Reply: ...


class Keeper(Protocol):
    async def current_jwt(self) -> str: ...
    async def refresh(self) -> str: ...


class Poster:
    """Sends batches of one signal. ``pause`` waits, and raises ``StoppedError`` to give up.

    ``on_busy`` is told of each wait: how many there were, the seconds, and the status.
    """

    def __init__(
        self,
        client: Client,
        keeper: Keeper,
        *,
        clock: Clock,
        pause: Callable[[float], Awaitable[None]],
        on_busy: Callable[[int, float, int], object],
    ) -> None:
        self._client = client
        self._keeper = keeper
        self._clock = clock
        self._pause = pause
        self._on_busy = on_busy

    async def post(self, signal: str, body: bytes, batch_id: str) -> Posted:
        """Send one batch: the same bytes under the same id, as often as it takes.

        Raises ``PostFailedError`` when it is to be tried again another time.
        """
        try:
            return await self._post(signal, body, batch_id)
        except (CentralUnreachableError, IdentityError) as error:
            raise PostFailedError(str(error)) from error

    async def _post(self, signal: str, body: bytes, batch_id: str) -> Posted:
        waited_s = 0.0
        waits = 0
        is_renewed = False
        while True:
            jwt = await self._keeper.current_jwt()
            reply = await self._client.post_batch(signal, body, batch_id, jwt)
            if reply.is_ok:
                return Posted(Verdict.STORED)
            if reply.status == _UNAUTHORIZED and not is_renewed:
                is_renewed = True
                await self._keeper.refresh()
            elif reply.status in _BUSY:
                waits += 1
                delay_s = self._delay_s(reply, waits)
                if waited_s + delay_s > PATIENCE_S:
                    raise PostFailedError(
                        f"the server is busy ({reply.status}) and asks to wait {delay_s:g} s more"
                    )
                self._on_busy(waits, delay_s, reply.status)
                await self._pause(delay_s)
                waited_s += delay_s
            elif reply.status in _REFUSED:
                return Posted(Verdict.REFUSED, f"{reply.status} {reply.detail()}")
            else:
                raise PostFailedError(f"the server answered {reply.status} {reply.detail()}")

    def _delay_s(self, reply: Reply, waits: int) -> float:
        told = parse_retry_after(reply.headers.get("retry-after"), self._clock.now())
        # Not bounded here: what asks for more than our patience is not waited for at all.
        return wait_s(told, waits, 0.0, longest_s=float("inf"))
