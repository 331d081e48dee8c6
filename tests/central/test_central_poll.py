"""One poll, over a real connection: what is asked, and what each reply comes to."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hypactors.central import (
    LARGEST_BODY,
    Failure,
    IdentityKeeper,
    PollFailure,
    PollResult,
    Reply,
    Served,
    Unchanged,
    judge,
    next_poll_s,
    poll,
)
from hypactors.central.client import CentralClient
from hypactors.clock import ManualClock
from tests.central.sample import grant, jwt, sink
from tests.central.scripted import TRAP_S, Peer, Request, ScriptedServer, replies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

CLOCK = ManualClock()
DOCUMENT = b'{"version": 2}'

Answer = "Callable[[Request, Peer], None]"


def poll_once(
    answer: Callable[[Request, Peer], None],
    folder: Path,
    *,
    etag: str | None = None,
    deadline_s: float = 5,
) -> tuple[PollResult, list[Request]]:
    """Enrol, poll once, and return the result with the requests after the enrolment."""

    def serve(request: Request, peer: Peer) -> None:
        if request.path.startswith("/v1/identity"):
            peer.send_json(grant(serial=2 if request.path.endswith("refresh") else 1))
        else:
            answer(request, peer)

    async def run(server: ScriptedServer) -> PollResult:
        async with CentralClient(server.url, deadline_s=deadline_s) as client:
            keeper = IdentityKeeper(client, sink(server.url, folder), CLOCK)
            await keeper.acquire()
            return await poll(client, keeper, etag, CLOCK.now())

    with ScriptedServer(serve) as server:
        result = asyncio.run(run(server))
        return result, server.requests[1:]


def failure(result: PollResult) -> PollFailure:
    assert isinstance(result, PollFailure)
    return result


def test_a_config_that_is_served(tmp_path: Path) -> None:
    """central 8: one request with the JWT, and no condition while the seed runs."""
    result, [request] = poll_once(lambda _, peer: peer.send(200, DOCUMENT, ETag='"one"'), tmp_path)
    assert result == Served(DOCUMENT, '"one"')
    assert (request.method, request.path, request.jwt) == ("GET", "/v1/config", jwt())
    assert "if-none-match" not in request.headers
    assert request.headers["accept-encoding"] == "identity"


def test_a_config_that_is_the_same(tmp_path: Path) -> None:
    """central 9: the condition is the etag of the config that runs, as it was received."""
    result, [request] = poll_once(lambda _, peer: peer.send(304), tmp_path, etag='W/"x,y"')
    assert result == Unchanged('W/"x,y"')
    assert request.headers["if-none-match"] == 'W/"x,y"'


def test_an_identity_that_is_not_taken_is_renewed_once(tmp_path: Path) -> None:
    """central 10: 401, a refresh, and the same question with the new JWT."""
    answer = replies(lambda _, peer: peer.send(401), lambda _, peer: peer.send(304))
    result, requests = poll_once(answer, tmp_path)
    assert result == Unchanged(None)
    assert [request.path for request in requests] == [
        "/v1/config",
        "/v1/identity/refresh",
        "/v1/config",
    ]
    assert [request.jwt for request in requests] == [jwt(), jwt(), jwt(serial=2)]


def test_and_not_twice(tmp_path: Path) -> None:
    """central 10: 401 for ever costs one refresh a poll."""
    result, requests = poll_once(lambda _, peer: peer.send_json({"error": "no"}, 401), tmp_path)
    assert failure(result).kind is Failure.AUTH_FAILED
    assert [request.path for request in requests].count("/v1/identity/refresh") == 1
    assert len(requests) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda _, peer: peer.send(200, DOCUMENT), Failure.NO_ETAG),
        (lambda _, peer: peer.send(200, DOCUMENT, ETag=" "), Failure.NO_ETAG),
        (lambda _, peer: peer.send(200, b"<html>", ETag='"e"'), Failure.NOT_JSON),
        (lambda _, peer: peer.send(200, b"\xff\xfe", ETag='"e"'), Failure.NOT_JSON),
        (lambda _, peer: peer.send(200, b"[" * 9999, ETag='"e"'), Failure.NOT_JSON),
        (lambda _, peer: peer.send(200, b"", ETag='"e"'), Failure.NOT_JSON),
        (lambda _, peer: peer.send(200, b"x" * (LARGEST_BODY + 1)), Failure.TOO_LARGE),
        (lambda _, peer: peer.send(404), Failure.NOT_REGISTERED),
        (lambda _, peer: peer.send(500, b"oops"), Failure.HTTP_ERROR),
        (lambda _, peer: peer.send(403), Failure.HTTP_ERROR),
        (lambda _, peer: peer.raw(b"what?\r\n\r\n"), Failure.ERROR),
        (lambda _, peer: peer.close(), Failure.ERROR),
    ],
)
def test_what_is_no_config(answer: Any, kind: Failure, tmp_path: Path) -> None:
    """central 11 and 13: size, then etag, then JSON."""
    result, _ = poll_once(answer, tmp_path)
    assert failure(result).kind is kind
    assert "canary" not in failure(result).message


def test_exactly_the_cap_passes(tmp_path: Path) -> None:
    document = DOCUMENT + b" " * (LARGEST_BODY - len(DOCUMENT))
    result, _ = poll_once(lambda _, peer: peer.send(200, document, ETag='"e"'), tmp_path)
    assert result == Served(document, '"e"')


def test_a_body_that_says_it_is_too_large_is_never_read(tmp_path: Path) -> None:
    """central 12: what it says is what is reported; not one byte of it needs to come."""
    result, _ = poll_once(
        lambda _, peer: peer.head(200, {"content-length": "9999999999", "etag": '"e"'}), tmp_path
    )
    assert failure(result).kind is Failure.TOO_LARGE
    assert failure(result).body_bytes == 9_999_999_999


def test_an_endless_body_is_left_soon_after_the_cap(tmp_path: Path) -> None:
    """central 12: as fast as the server can send, and it notices that nobody listens."""
    was_left = threading.Event()

    def endless(_: Request, peer: Peer) -> None:
        peer.head(200, {"etag": '"e"', "transfer-encoding": "chunked"})
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        try:
            while True:
                peer.raw(chunk)
        except OSError:
            was_left.set()

    result, _ = poll_once(endless, tmp_path)
    seen = failure(result).body_bytes
    assert failure(result).kind is Failure.TOO_LARGE
    assert seen is not None
    assert LARGEST_BODY < seen <= LARGEST_BODY + 2 * 0x10000
    assert was_left.wait(TRAP_S)


def test_a_body_that_drips_is_cut_by_the_deadline(tmp_path: Path) -> None:
    """central 16: each byte comes in time, the whole does not."""
    stop = threading.Event()

    def drip(_: Request, peer: Peer) -> None:
        peer.head(200, {"etag": '"e"', "content-length": "100000"})
        while not stop.wait(0.01):
            peer.raw(b"x")

    result, _ = poll_once(drip, tmp_path, deadline_s=0.3)
    stop.set()
    assert failure(result).kind is Failure.ERROR
    assert "exceeded its deadline" in failure(result).message


def test_a_server_that_never_answers_is_left_by_the_deadline(tmp_path: Path) -> None:
    result, _ = poll_once(lambda _, peer: peer.stay_silent(), tmp_path, deadline_s=0.3)
    assert "exceeded its deadline" in failure(result).message


def test_the_deadline_holds_against_a_transport_that_ignores_it(tmp_path: Path) -> None:
    """central 16: even when what is under it swallows the cancelling."""

    class Once(httpx.AsyncByteStream):
        def __init__(self, content: bytes) -> None:
            self.content = content

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield self.content

    class Deaf(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.startswith("/v1/identity"):
                return httpx.Response(200, stream=Once(json.dumps(grant()).encode()))
            until = time.monotonic() + 2
            while (left := until - time.monotonic()) > 0:
                try:
                    await asyncio.sleep(left)
                except asyncio.CancelledError:
                    continue
            return httpx.Response(304, stream=Once(b""))

    async def run() -> float:
        client = CentralClient("http://127.0.0.1:9/", deadline_s=0.2, transport=Deaf())
        keeper = IdentityKeeper(client, sink("http://127.0.0.1:9/", tmp_path), CLOCK)
        await keeper.acquire()
        began = time.monotonic()
        result = await poll(client, keeper, None, CLOCK.now())
        assert "exceeded its deadline" in failure(result).message
        return time.monotonic() - began

    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(run()) < 1.5
        loop.run_until_complete(asyncio.sleep(2))  # let it finish: nothing is left behind
    finally:
        loop.close()


@pytest.mark.parametrize("sent", [b"", b'{"ver'])
def test_a_connection_cut_in_mid_body(sent: bytes, tmp_path: Path) -> None:
    def cut(_: Request, peer: Peer) -> None:
        peer.head(200, {"etag": '"e"', "content-length": "100"})
        peer.raw(sent)
        peer.close()

    result, _ = poll_once(cut, tmp_path)
    assert failure(result).kind is Failure.ERROR


def test_a_length_that_is_too_small_leaves_no_json(tmp_path: Path) -> None:
    def short(_: Request, peer: Peer) -> None:
        peer.head(200, {"etag": '"e"', "content-length": "5"})
        peer.raw(DOCUMENT)
        peer.close()

    result, _ = poll_once(short, tmp_path)
    assert failure(result).kind is Failure.NOT_JSON


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """The credential goes to nobody else, and the config comes from nobody else."""
    with ScriptedServer(lambda _, peer: peer.send(200, DOCUMENT, ETag='"evil"')) as other:
        result, requests = poll_once(
            lambda _, peer: peer.send(302, location=other.url + "v1/config"), tmp_path
        )
        assert failure(result).kind is Failure.HTTP_ERROR
        assert len(requests) == 1
        assert other.requests == []


def test_a_packed_body_is_not_unpacked(tmp_path: Path) -> None:
    result, _ = poll_once(
        lambda _, peer: peer.send(200, DOCUMENT, ETag='"e"', content_encoding="gzip"), tmp_path
    )
    assert result == Served(DOCUMENT, '"e"'), "the bytes are what they are"


@pytest.mark.parametrize(
    ("status", "told", "parsed"),
    [(429, "7", 7), (503, "garbage", None), (429, "0", 0), (503, None, None)],
)
def test_a_busy_server(status: int, told: str | None, parsed: float | None) -> None:
    """central 14."""
    headers = {} if told is None else {"retry-after": told}
    result = judge(Reply(status, headers, b"", 0), None, CLOCK.now())
    assert failure(result).kind is Failure.THROTTLED
    assert failure(result).retry_after_s == parsed


def throttled(retry_after_s: float | None) -> PollFailure:
    return PollFailure(Failure.THROTTLED, "busy", 429, retry_after_s=retry_after_s)


@pytest.mark.parametrize(
    ("result", "failures", "interval_s", "delay_s"),
    [
        (Unchanged("e"), 0, 42, 42),
        (Served(b"{}", "e"), 0, 42, 42),
        (throttled(7), 3, 42, 7),
        (throttled(0), 1, 42, 30),
        (throttled(None), 2, 42, 60),
        (throttled(10**8), 1, 42, 300),
        (PollFailure(Failure.NOT_REGISTERED, ""), 1, 42, 300),
        (PollFailure(Failure.NOT_REGISTERED, ""), 1, 900, 900),
        *(
            (PollFailure(Failure.ERROR, ""), failures, 42, delay_s)
            for failures, delay_s in enumerate((30, 60, 120, 300, 300), start=1)
        ),
    ],
)
def test_when_to_ask_again(
    result: PollResult, failures: int, interval_s: float, delay_s: float
) -> None:
    """central 13, 14 and 17."""
    assert next_poll_s(result, failures, interval_s, 0.0) == delay_s


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_server_that_repeats_the_credential(status: int, tmp_path: Path) -> None:
    """What it says is logged and shown: not that."""

    def repeat(request: Request, peer: Peer) -> None:
        peer.send_json({"error": f"no good: {request.jwt}!"}, status)

    result, [request, *_] = poll_once(repeat, tmp_path)
    assert "canary" not in failure(result).message
    assert request.jwt not in failure(result).message
    assert "no good: [secret]!" in failure(result).message
