"""Configs: what may be served, to whom, and who has converged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.central.server import objections
from hypactors.central.server._configs import name_fault
from hypactors.central.server._store import SCHEMA_VERSION, Store, StoreError
from hypactors.config import BUILT_IN_SECTIONS, CATALOGUE
from tests.central_server.app import URL, document

if TYPE_CHECKING:
    from pathlib import Path

    from tests.central_server.app import App


def put(app: App, raw: bytes, name: str = "team") -> str:
    return app.store.put_config(name, raw, app.clock.now()).etag


def test_a_machine_gets_the_config_of_its_token(app: App) -> None:
    """central 8."""
    etag = put(app, document())
    put(app, document(window_days=7), "other")
    reply = app.ask("GET", "/v1/config", jwt=app.enrol())
    assert (reply.status_code, reply.content) == (200, document())
    assert reply.headers["etag"] == etag


def test_and_nothing_when_it_has_it(app: App) -> None:
    """central 9."""
    etag = put(app, document())
    jwt = app.enrol()
    reply = app.ask("GET", "/v1/config", jwt=jwt, if_none_match=etag)
    assert (reply.status_code, reply.content) == (304, b"")
    assert reply.headers["etag"] == etag
    put(app, document(window_days=1))
    assert app.ask("GET", "/v1/config", jwt=jwt, if_none_match=etag).status_code == 200


def test_without_a_config(app: App) -> None:
    """central 13."""
    assert app.ask("GET", "/v1/config", jwt=app.enrol("none")).status_code == 404


def test_the_etag_is_of_the_bytes(app: App) -> None:
    first = put(app, document())
    assert put(app, document(window_days=1)) != first
    assert put(app, document()) == first
    assert first.startswith('"')


def test_who_has_converged_is_read_from_the_condition(app: App) -> None:
    put(app, document())
    jwt = app.enrol()
    assert app.store.gateways()[0].polled_at is None
    app.ask("GET", "/v1/config", jwt=jwt)
    [gateway] = app.store.gateways()
    assert (gateway.polled_at, gateway.running_etag) == (int(app.clock.now().timestamp()), None)
    app.ask("GET", "/v1/config", jwt=jwt, if_none_match='"x"')
    assert app.store.gateways()[0].running_etag == '"x"'


def judged(raw: bytes, url: str | None = URL) -> list[str]:
    found = objections(raw, public_url=url, plugins=CATALOGUE, sections=BUILT_IN_SECTIONS)
    return [str(objection) for objection in found]


def changed(**parts: Any) -> bytes:
    return json.dumps(json.loads(document()) | parts).encode()


def test_a_good_document() -> None:
    assert judged(document(window_days=7)) == []
    assert judged(document(), None) == []


@pytest.mark.parametrize(
    ("raw", "pointer", "why"),
    [
        (b"{", "<root>", "not JSON"),
        (b'{"version": 1}', "/version", "2"),
        (document(window_days=-1), "/plugins/1/config/backfill/window_days", "integer"),
        (changed(query={}), "/query", "each machine's own"),
        (changed(plugins=[]), "/plugins", "must enable"),
        (changed(plugins=[{"name": "@hypaware/central", "enabled": False}]), "/plugins", "enable"),
        (changed(sinks={}), "/sinks", "must hold a sink"),
        (document().replace(b"hyp.example.com/", b"hyp.example.com"), "/sinks", URL),
        (document() + b" " * 1024 * 1024, "<root>", "at most"),
    ],
)
def test_a_document_that_is_refused(raw: bytes, pointer: str, why: str) -> None:
    """By the client's own validator, and by what would take its machines away from here."""
    [objection] = judged(raw)
    assert objection.startswith(f"{pointer}: ")
    assert why in objection


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "-x", "a b", "x" * 65, "ä"])
def test_a_name_is_no_path(name: str) -> None:
    assert name_fault(name)


def test_a_state_of_another_version_is_left_alone(tmp_path: Path) -> None:
    store = Store.in_folder(tmp_path)
    store.set_fact("schema_version", str(SCHEMA_VERSION + 1))
    store.close()
    with pytest.raises(StoreError, match="schema 2"):
        Store.in_folder(tmp_path)


def test_a_password_of_a_database_is_not_told() -> None:
    with pytest.raises(StoreError) as failed:
        Store("sqlite:////nowhere/at/all/canary:canary@/x.db")
    assert "canary" not in str(failed.value)


def test_a_driver_that_is_not_there_is_named() -> None:
    with pytest.raises(StoreError, match="driver psycopg2 is not installed") as failed:
        Store("postgresql+psycopg2://user:canary@host/hyp")
    assert "canary" not in str(failed.value)
