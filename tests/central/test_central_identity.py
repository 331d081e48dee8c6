"""The identity of a machine: what is done about it, its file, and its keeper over loopback."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.central import (
    CentralUnreachableError,
    Identity,
    IdentityError,
    IdentityKeeper,
    Step,
    delete_identity,
    read_identity,
    write_identity,
)
from hypactors.central._identity import fingerprint, gateway_id_of, next_step
from hypactors.central.client import CentralClient
from hypactors.clock import ManualClock
from tests.central.sample import DAY_S, TOKEN, grant, identity, jwt, sink
from tests.central.scripted import Peer, Request, ScriptedServer, replies

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from hypactors.central import CentralSink

HERE, THERE = "https://here.example/", "https://there.example/"
CLOCK = ManualClock()
MINE = fingerprint(TOKEN)


@pytest.mark.parametrize(
    ("found", "token", "step"),
    [
        (None, TOKEN, Step.BOOTSTRAP),
        (None, None, Step.BOOTSTRAP),
        (identity(HERE, bootstrap_token_fp=MINE), TOKEN, Step.LOAD),
        (identity(HERE, bootstrap_token_fp=MINE), "another", Step.BOOTSTRAP),
        (identity(THERE, bootstrap_token_fp=MINE), TOKEN, Step.BOOTSTRAP),
        (identity(HERE, bootstrap_token_fp=MINE), None, Step.LOAD),
        (identity(None), TOKEN, Step.BOOTSTRAP),
        (identity(None), None, Step.LOAD),
        (identity(HERE, origin="login"), None, Step.LOAD),
        (identity(HERE, origin="login"), TOKEN, Step.LOAD),
        (identity(None, origin="login"), TOKEN, Step.LOAD),
        (identity(THERE, origin="login"), TOKEN, Step.BOOTSTRAP),
        (identity(HERE, remaining_s=DAY_S), None, Step.REFRESH),
        (identity(HERE, remaining_s=DAY_S + 1), None, Step.LOAD),
        (identity(HERE, remaining_s=-DAY_S, origin="login"), TOKEN, Step.REFRESH),
    ],
)
def test_what_an_identity_needs(
    found: Identity | None, token: str | None, step: Step, tmp_path: Path
) -> None:
    """central 4, 5, 6 and 7: the table of central §2.2, row by row."""
    assert next_step(found, sink(HERE, tmp_path, token=token), CLOCK.now()) is step


@pytest.mark.parametrize(
    ("found", "remedy"),
    [(identity(THERE), "hyp join"), (identity(THERE, origin="login"), "hyp remote login")],
)
def test_another_server_without_a_token_is_refused(
    found: Identity, remedy: str, tmp_path: Path
) -> None:
    """central 4 and 6: the line names both servers and what to do."""
    with pytest.raises(IdentityError) as refused:
        next_step(found, sink(HERE, tmp_path, token=None), CLOCK.now())
    assert HERE in str(refused.value)
    assert THERE in str(refused.value)
    assert remedy in str(refused.value)


@given(st.text())
def test_no_jwt_breaks_the_reading_of_its_subject(text: str) -> None:
    found = gateway_id_of(text)
    assert found is None or found != ""
    assert gateway_id_of(jwt("gw-7")) == "gw-7"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'"x"', b'{"jwt": "a.b.c"}', b"\xff", b"[" * 5000,
     b'{"jwt": "", "expires_at": 1, "gateway_id": "g"}',
     b'{"jwt": "a b", "expires_at": 1, "gateway_id": "g"}',
     b'{"jwt": "a", "expires_at": "1", "gateway_id": "g"}',
     b'{"jwt": "a", "expires_at": -1, "gateway_id": "g"}',
     b'{"jwt": "a", "expires_at": 1, "gateway_id": ""}'],
)  # fmt: skip
def test_a_file_that_is_no_identity_is_an_error(raw: bytes, tmp_path: Path) -> None:
    """central 7: never a reason to make a second identity."""
    path = tmp_path / "identity.json"
    path.write_bytes(raw)
    with pytest.raises(IdentityError, match=r"identity\.json"):
        read_identity(path)


def test_a_folder_in_its_place_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="cannot be read"):
        read_identity(tmp_path)


def test_an_origin_that_is_not_known_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    path.write_text(
        '{"jwt": "a.b.c", "expires_at": 9, "gateway_id": "g", "origin": "sky", "more": 1}'
    )
    assert read_identity(path) == Identity("a.b.c", 9, "g")


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """central 3: the file 0600, its folder 0700; nothing of it is in a repr."""
    path = tmp_path / "deep" / "identity.json"
    write_identity(path, identity(HERE))
    path.chmod(0o644)
    write_identity(path, identity(THERE))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert read_identity(path) == identity(THERE)
    assert [each.name for each in path.parent.iterdir()] == ["identity.json"]
    assert "canary" not in repr(identity(HERE))


def test_only_an_identity_is_deleted_by_the_word_of_a_config(tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.write_text("gold")
    with pytest.raises(IdentityError):
        delete_identity(treasure, is_named_by_config=True)
    assert treasure.read_text() == "gold"
    assert not delete_identity(tmp_path / "none", is_named_by_config=True)
    write_identity(tmp_path / "mine", identity(HERE))
    assert delete_identity(tmp_path / "mine", is_named_by_config=True)
    assert delete_identity(treasure, is_named_by_config=False), "a broken one of our own goes"


def keeping(
    url: str, where: CentralSink, work: Callable[[IdentityKeeper], Awaitable[object]]
) -> object:
    """Run ``work`` with a keeper over a real connection."""

    async def run() -> object:
        async with CentralClient(url, deadline_s=5) as client:
            return await work(IdentityKeeper(client, where, CLOCK))

    return asyncio.run(run())


def granting(request: Request, peer: Peer) -> None:
    peer.send_json(grant(serial=2 if request.path.endswith("refresh") else 1))


def test_the_first_join(tmp_path: Path) -> None:
    """central 3: one call; address and fingerprint are kept, the token is nowhere."""
    with ScriptedServer(granting) as server:
        where = sink(server.url, tmp_path)
        assert keeping(server.url, where, IdentityKeeper.acquire) is Step.BOOTSTRAP
        [request] = server.requests
        assert (request.method, request.path) == ("POST", "/v1/identity/bootstrap")
        assert request.json() == {"bootstrap_token": TOKEN}
        kept = read_identity(where.identity_path)
        assert kept is not None
        assert (kept.gateway_id, kept.central_url) == ("gw-1", server.url)
        assert kept.bootstrap_token_fp == MINE
        assert TOKEN not in where.identity_path.read_text()
        assert where.identity_path.stat().st_mode & 0o777 == 0o600

        assert keeping(server.url, where, IdentityKeeper.acquire) is Step.LOAD
        assert len(server.requests) == 1, "central 4: loaded without a call"


def test_a_refresh_keeps_what_the_file_says_besides(tmp_path: Path) -> None:
    """central 6."""
    with ScriptedServer(granting) as server:
        where = sink(server.url, tmp_path, token=None)
        write_identity(where.identity_path, identity(server.url, remaining_s=DAY_S, origin="login"))
        assert keeping(server.url, where, IdentityKeeper.acquire) is Step.REFRESH
        [request] = server.requests
        assert (request.path, request.body, request.jwt) == ("/v1/identity/refresh", b"", jwt())
        kept = read_identity(where.identity_path)
        assert kept is not None
        assert (kept.origin, kept.central_url, kept.jwt) == ("login", server.url, jwt(serial=2))


def test_callers_that_come_together_share_one_refresh(tmp_path: Path) -> None:
    """central 7: ten callers, one request, one new JWT for all."""

    async def work(keeper: IdentityKeeper) -> set[str]:
        await keeper.acquire()
        return set(await asyncio.gather(*(keeper.refresh() for _ in range(10))))

    with ScriptedServer(granting) as server:
        where = sink(server.url, tmp_path)
        assert keeping(server.url, where, work) == {jwt(serial=2)}
        assert server.paths() == ["/v1/identity/bootstrap", "/v1/identity/refresh"]


def test_an_identity_that_another_process_renewed_is_taken(tmp_path: Path) -> None:
    with ScriptedServer(granting) as server:
        where = sink(server.url, tmp_path)

        async def work(keeper: IdentityKeeper) -> str:
            await keeper.acquire()
            kept = read_identity(where.identity_path)
            assert kept is not None
            renewed = Identity(jwt(serial=9), kept.expires_at, kept.gateway_id, kept.central_url)
            write_identity(where.identity_path, renewed)
            return await keeper.refresh()

        assert keeping(server.url, where, work) == jwt(serial=9)
        assert server.paths() == ["/v1/identity/bootstrap"]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((401, b'{"error": "revoked"}'), "identity refresh failed: 401 revoked"),
        ((500, b"x" * 500), "identity refresh failed: 500 " + "x" * 200),
        ((502, b""), "identity refresh failed: 502 Bad Gateway"),
        ((200, b"no json"), "the reply cannot be used"),
        ((200, b'{"jwt": "a b", "expires_at": 7}'), "no usable identity"),
        ((200, b'{"jwt": "a.b.c", "expires_at": 0}'), "no usable identity"),
        ((302, b""), "identity refresh failed: 302"),
    ],
)
def test_a_refresh_that_fails_changes_nothing(
    reply: tuple[int, bytes], said: str, tmp_path: Path
) -> None:
    """central §2.3: the old identity stays, in memory and on disk; nothing is repeated."""
    with ScriptedServer(replies(granting, lambda _, peer: peer.send(*reply))) as server:
        where = sink(server.url, tmp_path)

        async def work(keeper: IdentityKeeper) -> str:
            await keeper.acquire()
            with pytest.raises(IdentityError) as failed:
                await keeper.refresh()
            assert said in str(failed.value)
            assert jwt() not in str(failed.value)
            return await keeper.current_jwt()

        assert keeping(server.url, where, work) == jwt()
        kept = read_identity(where.identity_path)
        assert kept is not None
        assert kept.jwt == jwt()
        assert len(server.requests) == 2


def test_without_a_token_nobody_is_enrolled(tmp_path: Path) -> None:
    with ScriptedServer(granting) as server:
        where = sink(server.url, tmp_path, token=None)
        with pytest.raises(IdentityError, match="hyp join"):
            keeping(server.url, where, IdentityKeeper.acquire)
        assert server.requests == []


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with ScriptedServer(granting) as server:
        gone = server.url
    where = sink(gone, tmp_path)
    with pytest.raises(CentralUnreachableError, match="failed to reach central server"):
        keeping(gone, where, IdentityKeeper.acquire)
    assert not where.identity_path.exists()


def test_an_export_never_enrols(tmp_path: Path) -> None:
    where = sink(HERE, tmp_path)

    async def work(keeper: IdentityKeeper) -> None:
        await keeper.acquire(may_bootstrap=False)

    with pytest.raises(IdentityError, match="not enrolled yet"):
        keeping(HERE, where, work)


def test_the_file_as_the_other_client_reads_it(tmp_path: Path) -> None:
    """central §2.1: the names and kinds of the fields."""
    with ScriptedServer(granting) as server:
        where = sink(server.url, tmp_path)
        keeping(server.url, where, IdentityKeeper.acquire)
        fields = json.loads(where.identity_path.read_bytes())
    assert sorted(fields) == [
        "bootstrap_token_fp",
        "central_url",
        "expires_at",
        "gateway_id",
        "jwt",
    ]
    assert isinstance(fields["expires_at"], int)


@pytest.mark.parametrize(
    ("jump_s", "refreshes"), [(29.5 * DAY_S, 1), (400 * DAY_S, 1), (-DAY_S, 0)]
)
def test_a_clock_that_jumps(jump_s: float, refreshes: int, tmp_path: Path) -> None:
    """central 32: forward it renews, even what has ended; backward it just goes on."""
    clock = ManualClock()

    async def run(server: ScriptedServer) -> str:
        async with CentralClient(server.url, deadline_s=5) as client:
            keeper = IdentityKeeper(client, sink(server.url, tmp_path), clock)
            await keeper.acquire()
            clock.advance(jump_s)
            return await keeper.current_jwt()

    with ScriptedServer(granting) as server:
        assert asyncio.run(run(server)) == jwt(serial=1 + refreshes)
        assert server.paths().count("/v1/identity/refresh") == refreshes


def test_nothing_is_written_once_the_keeper_is_closed(tmp_path: Path) -> None:
    """The machine may be leaving while a reply is on its way."""

    async def work(keeper: IdentityKeeper) -> None:
        keeper.close()
        await keeper.acquire()

    with ScriptedServer(granting) as server:
        where = sink(server.url, tmp_path)
        with pytest.raises(IdentityError, match="not kept any more"):
            keeping(server.url, where, work)
        assert len(server.requests) == 1
        assert not where.identity_path.exists()


def test_a_server_that_repeats_the_token(tmp_path: Path) -> None:
    def repeat(request: Request, peer: Peer) -> None:
        peer.send_json({"error": f"unknown: {request.json()['bootstrap_token']}"}, 401)

    with ScriptedServer(repeat) as server:
        where = sink(server.url, tmp_path)
        with pytest.raises(IdentityError, match=r"unknown: \[secret\]"):
            keeping(server.url, where, IdentityKeeper.acquire)
