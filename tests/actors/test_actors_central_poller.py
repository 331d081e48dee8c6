"""The thread that polls, against a real server on loopback."""

from __future__ import annotations

import queue
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from hypactors.actors._central_poller import PollReport, ThreadPoller, _Loop
from hypactors.central import Failure, PollFailure, Served, Step, Unchanged, read_identity
from hypactors.clock import ManualClock
from tests.central.sample import grant, sink
from tests.central.scripted import TRAP_S, Peer, Request, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENT = b'{"version": 2}'


class Lab:
    """A poller and what it reports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.poller = ThreadPoller(ManualClock())
        self.reports: queue.SimpleQueue[PollReport] = queue.SimpleQueue()

    def poll(self, url: str, etag: str | None = None) -> None:
        self.poller.poll(sink(url, self.folder), etag, self.reports.put)

    def next(self) -> PollReport:
        return self.reports.get(timeout=TRAP_S)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    before = set(threading.enumerate())
    lab = Lab(tmp_path)
    yield lab
    lab.poller.close(0)
    names = [thread.name for thread in set(threading.enumerate()) - before]
    assert "central-poller" not in names


def serve(request: Request, peer: Peer) -> None:
    if request.path.startswith("/v1/identity"):
        peer.send_json(grant())
    elif "if-none-match" in request.headers:
        peer.send(304)
    else:
        peer.send(200, DOCUMENT, ETag='"one"')


def test_the_first_poll_enrols_and_the_next_does_not(lab: Lab) -> None:
    with ScriptedServer(serve) as server:
        lab.poll(server.url)
        assert lab.next() == PollReport(Served(DOCUMENT, '"one"'), "gw-1", Step.BOOTSTRAP)
        lab.poll(server.url, '"one"')
        assert lab.next() == PollReport(Unchanged('"one"'), "gw-1")
        assert server.paths() == ["/v1/identity/bootstrap", "/v1/config", "/v1/config"]

        lab.poller.reset()
        lab.poll(server.url, '"one"')
        assert lab.next().acquired is Step.LOAD, "it was read from the file again"


def test_a_server_that_is_down_and_comes_back(lab: Lab) -> None:
    """Enrolling is tried again by the same poller."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    lab.poll(f"http://127.0.0.1:{port}/")
    result = lab.next().result
    assert isinstance(result, PollFailure)
    assert result.kind is Failure.NOT_ENROLLED
    with ScriptedServer(serve) as server:
        lab.poll(server.url)
        assert lab.next().acquired is Step.BOOTSTRAP


def test_a_reset_breaks_off_what_is_under_way(lab: Lab) -> None:
    """And nothing that comes late is written: the machine may have left."""
    answer = threading.Event()

    def late(_: Request, peer: Peer) -> None:
        answer.wait(TRAP_S)
        peer.send_json(grant())

    with ScriptedServer(late) as server:
        lab.poll(server.url)
        server.wait_for(1)
        lab.poller.reset()
        answer.set()
        with ScriptedServer(serve) as other:
            lab.poll(other.url)
            assert lab.next().acquired is Step.BOOTSTRAP
            kept = read_identity(sink(other.url, lab.folder).identity_path)
            assert kept is not None
            assert kept.central_url == other.url
    assert lab.reports.empty()


def test_close_waits_for_its_grace_and_no_longer(lab: Lab) -> None:
    """central 16: against a server that never answers."""
    with ScriptedServer(lambda _, peer: peer.stay_silent()) as server:
        lab.poll(server.url)
        server.wait_for(1)
        began = time.monotonic()
        lab.poller.close(0.2)
        assert 0.2 <= time.monotonic() - began < 5
        assert lab.reports.empty()


def test_a_poll_that_ends_within_the_grace_is_reported(lab: Lab) -> None:
    is_closing = threading.Event()

    def slow(request: Request, peer: Peer) -> None:
        is_closing.wait(TRAP_S)
        serve(request, peer)

    with ScriptedServer(slow) as server:
        lab.poll(server.url)
        server.wait_for(1)
        threading.Timer(0.1, is_closing.set).start()
        lab.poller.close(TRAP_S)
        assert lab.next().acquired is Step.BOOTSTRAP


def test_a_poller_that_never_polled_has_no_thread() -> None:
    before = threading.active_count()
    poller = ThreadPoller(ManualClock())
    poller.reset()
    poller.close(1)
    assert threading.active_count() == before


def test_names_are_looked_up_on_threads_that_nobody_waits_for() -> None:
    loop = _Loop()
    try:
        found = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80))
        assert found[0][4] == ("127.0.0.1", 80)
        with pytest.raises(OSError, match=r".*"):
            loop.run_until_complete(loop.getaddrinfo("not a host", 80))
    finally:
        loop.close()
    assert not any(
        thread.name == "name-lookup" and not thread.daemon for thread in threading.enumerate()
    )
