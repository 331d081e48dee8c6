"""Where an export goes to, and what keeps it from beginning."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.central import Identity, write_identity
from hypactors.errors import ConfigError
from hypactors.observability import OtlpTarget, otlp_target
from hypactors.observability._otlp_settings import parse_headers, read_headers
from hypactors.paths import HypHome
from hypactors.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINT = "https://otel.example.com/base"


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path)


def target(home: HypHome, endpoint: str | None = ENDPOINT, **more: Any) -> OtlpTarget | None:
    return otlp_target(Settings(otlp_endpoint=endpoint, **more), home)


def test_nothing_is_exported_unless_it_is_asked_for(home: HypHome) -> None:
    assert target(home, None) is None


def test_the_target_is_what_the_settings_say(home: HypHome) -> None:
    assert target(home, "http://127.0.0.1:4318/", otlp_traces=False) == OtlpTarget(
        "http://127.0.0.1:4318", logs=True, traces=False, headers_file=None
    )


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("127.0.0.1:4318", "http"),
        ("ftp://h", "http"),
        ("http://otel.example.com:4318", "must be https"),
        ("https://me:secret@h", "must not hold"),
    ],
)
def test_an_endpoint_that_cannot_be_is_told(home: HypHome, endpoint: str, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"^otlp\.endpoint .*{why}") as raised:
        target(home, endpoint)
    assert "secret" not in str(raised.value)


def test_what_is_not_installed_is_told_with_the_command(
    home: HypHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    with pytest.raises(ConfigError, match=r"pip install 'hypactors\[otel\]'"):
        target(home)


def test_the_gateway_of_a_machine_that_has_enrolled_is_told(home: HypHome) -> None:
    write_identity(home.identity_file, Identity("a.b.c", 2**40, "gw-1"))
    found = target(home)
    assert found is not None
    assert found.gateway_id == "gw-1"


def test_an_identity_that_cannot_be_read_costs_only_itself(home: HypHome) -> None:
    home.identity_file.parent.mkdir(parents=True)
    home.identity_file.write_text("{")
    assert target(home) is not None


def test_headers_come_from_a_file_of_its_owner_alone(home: HypHome) -> None:
    """Its path is relative to the home."""
    file = home.root / "otlp headers"
    file.write_text("# ours\n\nAuthorization: Bearer a:b=c\nX-Tenant:7\n")
    file.chmod(0o600)
    found = target(home, otlp_headers_file="otlp headers")
    assert found is not None
    assert found.headers_file == file
    assert read_headers(file) == {"authorization": "Bearer a:b=c", "x-tenant": "7"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602])
def test_headers_that_others_can_read_are_refused(home: HypHome, mode: int) -> None:
    file = home.root / "headers"
    file.write_text("Authorization: secret")
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600") as raised:
        target(home, otlp_headers_file=str(file))
    assert "secret" not in str(raised.value)


def test_headers_that_are_not_there_are_told(home: HypHome) -> None:
    with pytest.raises(ConfigError, match=r"headers_file .*cannot be read"):
        target(home, otlp_headers_file="nowhere")


@pytest.mark.parametrize(
    "line", ["Bearer secret", ": secret", "a b: secret", "x: secret\x07", "x: secretü"]
)
def test_a_bad_header_is_named_by_its_line_and_not_by_its_value(line: str) -> None:
    with pytest.raises(ConfigError, match="f: line 2 is not 'Name: value'") as raised:
        parse_headers(f"ok: 1\n{line}\n".encode(), "f")
    assert "secret" not in str(raised.value)


@given(st.binary(max_size=100))
def test_any_file_is_headers_that_can_be_sent_or_one_clear_line(raw: bytes) -> None:
    try:
        headers = parse_headers(raw, "f")
    except ConfigError as error:
        said = [str(error)]
    else:
        said = [f"{name}: {value}" for name, value in headers.items()]
    assert all(text.isprintable() and text.isascii() for text in said)
