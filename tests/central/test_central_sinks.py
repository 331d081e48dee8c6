"""Addresses and the sinks that name them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypactors.central import central_sinks, endpoint, fleet_of, sink_faults, url_fault
from hypactors.config import parse_document
from hypactors.paths import HypHome

HOME = HypHome(Path("/home/somebody/.hyp"))
URL = "https://hyp.example.com/"


def document(config: dict[str, Any], name: str = "central", *, enabled: bool = True) -> Any:
    text = {
        "version": 2,
        "plugins": [{"name": "@hypaware/central", "enabled": enabled}],
        "sinks": {name: {"plugin": "@hypaware/central", "config": config}},
    }
    return parse_document(json.dumps(text).encode())


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://h/x",
        "http://127.0.0.1:8/",
        "http://[::1]:8/",
        "http://localhost",
        "https://h:1",
    ],
)
def test_a_good_address(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "not a valid URL"),
        ("hyp.example.com", "not a valid URL"),
        ("https://", "names no host"),
        ("https://h:99999/", "not a valid URL"),
        ("https://h /", "not a valid URL"),
        ("https://h\n/", "not a valid URL"),
        ("file:///etc/passwd", "http(s)"),
        ("https://user:pw@h/", "password"),
        ("https://h/?a=b", "'?'"),
        ("http://hyp.example.com/", "must be https"),
        ("http://127.0.0.1.example.com/", "must be https"),
        ("http://10.0.0.1/", "must be https"),
    ],
)
def test_a_bad_address(url: str, why: str) -> None:
    """Plain http is for this machine alone."""
    assert why in (url_fault(url) or "")


@pytest.mark.parametrize("base", ["https://h/x", "https://h/x/"])
def test_the_path_of_the_server_is_kept(base: str) -> None:
    assert endpoint(base, "v1/config") == "https://h/x/v1/config"


def test_a_fleet_is_scheme_host_port_and_path() -> None:
    """Contract §9."""
    same = {fleet_of(url) for url in ("https://H/x", "https://h:443/x/", "https://h/x/")}
    assert same == {"https://h:443/x"}
    others = {fleet_of(url) for url in ("https://h/y", "https://h:444/x", "https://g/x")}
    assert len(others) == 3
    assert not same & others
    assert fleet_of("http://[::1]:8/") == "http://[::1]:8"


def test_a_sink_and_its_defaults() -> None:
    [sink] = central_sinks(document({"url": URL, "identity": {}}), HOME)
    assert (sink.name, sink.url, sink.bootstrap_token) == ("central", URL, None)
    assert sink.identity_path == HOME.identity_file
    assert (sink.schedule, sink.poll_interval_s) == ("* * * * *", 300)


def test_a_sink_that_says_everything() -> None:
    config = {
        "url": URL,
        "identity": {"bootstrap_token": "canary", "persisted_path": "/elsewhere/me.json"},
        "schedule": "*/5 * * * *",
        "poll_interval_seconds": 30.0,
    }
    [sink] = central_sinks(document(config), HOME)
    assert sink.identity_path == Path("/elsewhere/me.json")
    assert (sink.schedule, sink.poll_interval_s) == ("*/5 * * * *", 30)
    assert sink.bootstrap_token == "canary"
    assert "canary" not in repr(sink)


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"identity": {}}, "config.url"),
        ({"url": 7, "identity": {}}, "config.url"),
        ({"url": "ftp://h", "identity": {}}, "config.url"),
        ({"url": URL}, "config.identity"),
        ({"url": URL, "identity": "me"}, "config.identity"),
        ({"url": URL, "identity": {"bootstrap_token": 7}}, "identity.bootstrap_token"),
        ({"url": URL, "identity": {"persisted_path": []}}, "identity.persisted_path"),
        *(
            ({"url": URL, "identity": {}, "poll_interval_seconds": value}, "poll_interval_seconds")
            for value in (4, 3601, 7.5, True, "300", None)
        ),
    ],
)
def test_a_sink_that_cannot_be_used_fails_alone(config: dict[str, Any], key: str) -> None:
    """central §1: the line names the sink and the key."""
    wrong = document(config)
    assert central_sinks(wrong, HOME) == ()
    [fault] = sink_faults(wrong, HOME)
    assert fault.reason.startswith("sinks.central: ")
    assert key in fault.reason


def test_a_sink_of_a_plugin_that_is_off() -> None:
    off = document({"url": URL, "identity": {}}, enabled=False)
    assert central_sinks(off, HOME) == ()
    assert "not enabled" in sink_faults(off, HOME)[0].reason


def test_no_sink_climbs_out_of_the_folder_of_sinks() -> None:
    climbing = document({"url": URL, "identity": {}}, name="..")
    assert central_sinks(climbing, HOME) == ()
