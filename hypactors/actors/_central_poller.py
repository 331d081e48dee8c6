"""The thread that talks to the central server, so that no actor ever waits for a socket.

httpx is loaded here, when there is somebody to talk to: a daemon that never joined is without it.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from hypactors.central import (
    CentralUnreachableError,
    Failure,
    IdentityError,
    IdentityKeeper,
    PollFailure,
    poll,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.central import CentralSink, PollResult, Step
    from hypactors.central.client import CentralClient
    from hypactors.clock import Clock

GRACE_S = 1.0
"""How long a poll under way may go on when the daemon stops (central §3)."""

_SETTLE_S = 0.5


@dataclass(frozen=True, slots=True)
class PollReport:
    """How one poll ended. ``acquired`` is set on the poll that got the identity first."""

    result: PollResult
    gateway_id: str | None = None
    acquired: Step | None = None


class Poller(Protocol):
    """Polls in the background. For one caller; ``done`` is called on another thread."""

    def poll(
        self, sink: CentralSink, etag: str | None, done: Callable[[PollReport], object]
    ) -> None:
        """Enrol if need be, and ask for the config. One under way ends without a report."""
        ...

    def reset(self) -> None:
        """Break off what is under way and forget the identity: it is read again."""
        ...

    def close(self, grace_s: float) -> None:
        """Let a poll under way go on for so long, then break it off; return soon after that."""
        ...


class ThreadPoller:
    """Polls on an event loop in a thread of its own, started with the first poll."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # Touched in the loop only:
        self._session: _Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def poll(
        self, sink: CentralSink, etag: str | None, done: Callable[[PollReport], object]
    ) -> None:
        if self._loop is None:
            self._loop = _Loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="central-poller", daemon=True
            )
            self._thread.start()
        self._loop.call_soon_threadsafe(self._begin, sink, etag, done)

    def reset(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._forget)

    def close(self, grace_s: float) -> None:
        if self._loop is None or self._thread is None:
            return
        loop, self._loop = self._loop, None
        ending = asyncio.run_coroutine_threadsafe(self._end(grace_s), loop)
        ending.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
        self._thread.join(grace_s + 2 * _SETTLE_S)
        if not self._thread.is_alive():
            loop.close()

    # In the loop

    def _begin(
        self, sink: CentralSink, etag: str | None, done: Callable[[PollReport], object]
    ) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._session is None or self._session.sink != sink:
            self._forget()
            self._session = _Session(sink, self._clock)
        self._task = asyncio.ensure_future(self._poll(self._session, etag, done))

    async def _poll(
        self, session: _Session, etag: str | None, done: Callable[[PollReport], object]
    ) -> None:
        try:
            report = await session.poll(etag)
        except Exception as error:  # noqa: BLE001 - whatever it is, the polls must go on
            report = PollReport(PollFailure(Failure.ERROR, f"the poll broke: {error!r}"))
        done(report)

    def _forget(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._session is not None:
            self._session.keeper.close()
            self._closing = asyncio.ensure_future(self._session.close())
            self._session = None

    async def _end(self, grace_s: float) -> None:
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=grace_s)
        self._forget()
        # What ignores that it is cancelled stays behind with its thread.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=_SETTLE_S)


class _Session:
    """The client and the identity of one sink."""

    def __init__(self, sink: CentralSink, clock: Clock) -> None:
        from hypactors.central.client import CentralClient  # noqa: PLC0415 - see the module

        self.sink = sink
        self._clock = clock
        self._client: CentralClient = CentralClient(sink.url)
        self.keeper = IdentityKeeper(self._client, sink, clock)

    async def poll(self, etag: str | None) -> PollReport:
        acquired = None
        if self.keeper.gateway_id is None:
            try:
                acquired = await self.keeper.acquire()
            except (IdentityError, CentralUnreachableError) as error:
                return PollReport(PollFailure(Failure.NOT_ENROLLED, str(error)))
        result = await poll(self._client, self.keeper, etag, self._clock.now())
        return PollReport(result, self.keeper.gateway_id, acquired)

    async def close(self) -> None:
        await self._client.__aexit__()


class _Loop(asyncio.SelectorEventLoop):
    """Looks names up on threads that nobody waits for.

    The threads of an executor are joined when the program ends: a name server that is silent
    would hold up the stop of the daemon.
    """

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's own name
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        answer: asyncio.Future[Any] = self.create_future()

        def settle(error: OSError | None, found: Any) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def look_up() -> None:
            try:
                found = socket.getaddrinfo(host, port, family, type, proto, flags)
            except OSError as error:
                self._tell(settle, error, None)
            else:
                self._tell(settle, None, found)

        threading.Thread(target=look_up, name="name-lookup", daemon=True).start()
        return await answer

    def _tell(self, settle: Callable[[OSError | None, Any], None], *result: Any) -> None:
        if not self.is_closed():
            self.call_soon_threadsafe(settle, *result)
