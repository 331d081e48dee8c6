from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.config import (
    BadEtag,
    ControlState,
    Probation,
    Rollback,
    active_slot,
    read_control_state,
    running_etag,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.paths import HypHome

PROBATION = {
    "etag": "E2",
    "applied_at": "2026-06-25T00:00:00.000Z",
    "until": "2026-06-25T00:15:00.000Z",
    "slot": "b",
    "previous_slot": None,
}


def test_a_fresh_home_has_no_state(home: HypHome) -> None:
    """config-control 32."""
    assert read_control_state(home) == ControlState()
    assert running_etag(home) is None
    assert active_slot(home) is None


def test_golden_probation_is_read(golden_home: Callable[[str], HypHome]) -> None:
    home = golden_home("7-probation-unreachable")
    state = read_control_state(home)
    assert state.probation == Probation(
        etag="042cf10c79038c61",
        applied_at="2026-11-23T11:41:34.214Z",
        until="2026-11-23T11:43:34.214Z",
        slot="a",
        previous_slot="b",
    )
    assert state.bad_etag == BadEtag(
        "696f263cc2b56d44", "plugin_install_failed", "2026-11-23T11:41:29.180Z"
    )
    assert running_etag(home) == "042cf10c79038c61"
    assert active_slot(home) == "a"


def test_golden_rollback_is_read(golden_home: Callable[[str], HypHome]) -> None:
    home = golden_home("8-after-probation")
    state = read_control_state(home)
    assert state.probation is None
    assert state.last_rollback == Rollback(
        "042cf10c79038c61", "probation_expired", "2026-11-23T11:43:34.241Z", detail=None
    )
    assert running_etag(home) == "c82a4804a557276a"


def test_the_seed_has_no_running_etag(golden_home: Callable[[str], HypHome]) -> None:
    assert running_etag(golden_home("1-seed-only")) is None


@pytest.mark.parametrize("raw", [b"{", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"probation": NaN}'])
def test_a_corrupt_state_file_reads_as_empty_and_says_so(home: HypHome, raw: bytes) -> None:
    """config-control 32."""
    home.state_file.write_bytes(raw)
    state = read_control_state(home)
    assert (state.probation, state.bad_etag, state.last_rollback) == (None, None, None)
    assert state.problem is not None
    assert str(home.state_file) in state.problem
    assert home.state_file.read_bytes() == raw


@pytest.mark.parametrize("record", [None, 5, [], {}, {"etag": 5}, {"etag": ""}])
def test_a_malformed_record_leaves_the_others_alone(home: HypHome, record: object) -> None:
    bad = {"etag": "E1", "reason": 4}
    home.state_file.write_text(json.dumps({"probation": record, "bad_etag": bad}))
    state = read_control_state(home)
    assert state.probation is None
    assert state.bad_etag == BadEtag("E1", reason=None, recorded_at=None)
    assert state.problem is None


@pytest.mark.parametrize(
    ("target", "slot"),
    [
        ("config.a.json", "a"),
        ("config.b.json", "b"),
        ("./config.b.json", "b"),
        ("../config-control/config.a.json", "a"),
        ("config.c.json", None),
        ("elsewhere/config.a.json", None),
        ("config.a.json/x", None),
        ("active", None),
    ],
)
def test_only_a_link_to_a_slot_is_an_active_slot(
    home: HypHome, target: str, slot: str | None
) -> None:
    """The slot file itself need not be there (config-control §3)."""
    home.active_link.symlink_to(target)
    assert active_slot(home) == slot


def test_an_absolute_link_to_a_slot_counts(home: HypHome) -> None:
    home.active_link.symlink_to(home.slot_file("a").absolute())
    assert active_slot(home) == "a"


def test_a_regular_file_is_no_pointer(home: HypHome) -> None:
    home.active_link.write_text("config.a.json")
    assert active_slot(home) is None


@pytest.mark.parametrize(
    ("content", "etag"), [(b" E1 \n", "E1"), (b"", None), (b"\n", None), (b"\xff", None)]
)
def test_the_etag_is_trimmed(home: HypHome, content: bytes, etag: str | None) -> None:
    home.active_link.symlink_to("config.b.json")
    assert running_etag(home) is None
    home.slot_etag_file("b").write_bytes(content)
    assert running_etag(home) == etag
