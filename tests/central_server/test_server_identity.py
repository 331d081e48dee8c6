"""Who may enrol, and who is known."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import jwt as pyjwt
import pytest

from hypactors.central.server._tokens import KeyFileError, Signer, load_keys
from hypactors.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.central_server.app import App

NOW = ManualClock().now()
KEY, OLD_KEY = "k" * 40, "o" * 40


def test_a_token_brings_an_identity(app: App) -> None:
    """central §2.3 and statement 3, from the server's end."""
    granted = app.bootstrap(app.token()).json()
    assert set(granted) == {"jwt", "expires_at"}
    claims = pyjwt.decode(granted["jwt"], options={"verify_signature": False})
    [gateway] = app.store.gateways()
    assert claims["sub"] == gateway.id
    assert granted["expires_at"] == claims["exp"] == int((NOW + timedelta(days=30)).timestamp())


def test_each_enrolment_is_a_machine_of_its_own(app: App) -> None:
    token = app.token()
    app.bootstrap(token)
    app.bootstrap(token)
    assert len({gateway.id for gateway in app.store.gateways()}) == 2


def test_a_token_that_is_unknown_past_or_revoked(app: App) -> None:
    token = app.token(lasts=timedelta(hours=1))
    [known] = app.store.tokens()
    assert "not known" in app.bootstrap("hyp_guess").json()["error"]
    app.clock.advance(3601)
    assert app.bootstrap(token).json() == {"error": "the token is expired"}
    assert app.store.revoke_token(known, app.clock.now())
    assert not app.store.revoke_token(known, app.clock.now())
    assert app.bootstrap(token).status_code == 401
    assert app.store.gateways() == []
    assert token not in str(app.logged.entries)


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"bootstrap_token": 7}', "[" * 9999, '{"x": NaN}', "\x00"]
)
def test_rubbish_is_no_token(app: App, body: str) -> None:
    assert app.ask("POST", "/v1/identity/bootstrap", body).status_code == 400


def test_a_flood_is_no_token(app: App) -> None:
    assert app.ask("POST", "/v1/identity/bootstrap", b"x" * 70_000).status_code == 413


def test_a_refresh_keeps_the_machine(app: App) -> None:
    first = app.enrol()
    app.clock.advance(60)
    renewed = app.ask("POST", "/v1/identity/refresh", jwt=first).json()
    assert app.signer.gateway_of(renewed["jwt"], app.clock.now()) == app.store.gateways()[0].id
    assert renewed["expires_at"] == int((app.clock.now() + timedelta(days=30)).timestamp())
    assert renewed["jwt"] != first


def test_whoever_is_revoked_is_refused_everywhere(app: App) -> None:
    jwt = app.enrol()
    [token] = app.store.tokens()
    app.store.revoke_token(token, app.clock.now())
    for method, path in [
        ("POST", "/v1/identity/refresh"),
        ("GET", "/v1/config"),
        ("POST", "/v1/ingest/proxy"),
    ]:
        reply = app.ask(method, path, jwt=jwt)
        assert (reply.status_code, reply.json()) == (401, {"error": "the identity is revoked"})


def forged(**claims: object) -> dict[str, object]:
    return {"sub": "gw-1", "iss": "hypactors", "exp": int(NOW.timestamp()) + 99} | claims


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "Basic YTpi",
        "Bearer",
        "Bearer x.y.z",
        "Bearer " + pyjwt.encode(forged(), key="", algorithm="none"),
        "Bearer " + pyjwt.encode(forged(), key="w" * 40, algorithm="HS256"),
        "Bearer " + pyjwt.encode(forged(exp=int(NOW.timestamp())), key=KEY, algorithm="HS256"),
        "Bearer " + pyjwt.encode({"sub": "gw-1", "iss": "hypactors"}, key=KEY, algorithm="HS256"),
        "Bearer " + pyjwt.encode(forged(iss="other"), key=KEY, algorithm="HS256"),
        "Bearer " + pyjwt.encode(forged(sub="gw-unknown"), key=KEY, algorithm="HS256"),
    ],
)
def test_no_identity_but_ours(app: App, credential: str) -> None:
    app.enrol()
    reply = app.ask("GET", "/v1/config", authorization=credential)
    assert reply.status_code == 401
    assert reply.json()["error"]


@pytest.mark.parametrize(
    ("claims", "is_ours"),
    [
        ({}, True),
        ({"exp": int(NOW.timestamp())}, False),
        ({"exp": int(NOW.timestamp()) + 1}, True),
        ({"exp": "soon"}, False),
        ({"iss": "other"}, False),
    ],
)
def test_what_a_signed_identity_must_say(claims: dict[str, object], is_ours: bool) -> None:  # noqa: FBT001
    credential = pyjwt.encode(forged(**claims), key=KEY, algorithm="HS256")
    found = Signer((KEY,)).gateway_of(credential, NOW)
    assert found == ("gw-1" if is_ours else None)


def test_a_key_may_be_changed() -> None:
    granted = Signer((OLD_KEY,)).grant("gw-1", NOW)
    assert Signer((KEY, OLD_KEY)).gateway_of(granted.jwt, NOW) == "gw-1"
    assert Signer((KEY,)).gateway_of(granted.jwt, NOW) is None


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "jwt.keys"
    keys = load_keys(path)
    assert load_keys(path) == keys
    assert len(keys[0]) >= 48
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 40])
def test_a_key_that_cannot_be_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "jwt.keys"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match=r"jwt\.keys"):
        load_keys(path)


def test_what_is_not_served_is_said_in_json(app: App) -> None:
    assert app.ask("GET", "/nothing").json() == {"error": "Not Found"}
    assert app.ask("GET", "/v1/identity/refresh").status_code == 405
    assert json.loads(app.ask("GET", "/healthz").content) == {"status": "ok"}
