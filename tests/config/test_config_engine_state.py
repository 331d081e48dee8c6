"""``state.json`` as both clients write it, and the golden states under the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.clock import ManualClock, parse_iso
from hypactors.config import ApplyEngine, BadEtag, active_slot, read_control_state, running_etag
from hypactors.config._state import decode_state, encode_state
from tests.faults.machine import Log

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.config import BootAction
    from hypactors.paths import HypHome

GOLDEN = Path(__file__).parents[1] / "data" / "config-control"

WINDOW_OPEN = parse_iso("2026-11-23T11:37:30Z")
WINDOW_OVER = parse_iso("2026-11-23T12:00:00Z")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
TEXTS = st.text(max_size=8) | JSON
RECORDS = st.dictionaries(
    st.sampled_from(
        ["etag", "reason", "slot", "until", "window_s", "elapsed_s", "tries", "retry_after", "x"]
    ),
    TEXTS,
)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "probation": RECORDS | JSON,
        "bad_etag": RECORDS | JSON,
        "last_rollback": RECORDS | JSON,
        "bad_etags": st.lists(RECORDS | JSON, max_size=3) | JSON,
        "future": JSON,
    },
)


@given(FILES)
@settings(max_examples=150)
def test_whatever_the_file_holds_it_can_be_read_and_written(fields: dict[str, Any]) -> None:
    state = decode_state(json.dumps(fields).encode())
    again = decode_state(encode_state(state))
    assert again == state
    written = json.loads(encode_state(state))
    assert written.get("future") == fields.get("future")
    if state.probation is not None:
        assert written["probation"].get("x") == fields["probation"].get("x")


def boot(home: HypHome, clock: ManualClock) -> tuple[ApplyEngine, BootAction]:
    engine = ApplyEngine(home, clock=clock, log=Log())
    return engine, engine.evaluate_at_boot()


@pytest.mark.parametrize(
    ("name", "etag"),
    [
        ("1-seed-only", None),
        ("3-confirmed-backfill-pending", "2dd5ff2f91f47a94"),
        ("4-backfill-done", "2dd5ff2f91f47a94"),
        ("6-refused-config", "c82a4804a557276a"),
        ("8-after-probation", "c82a4804a557276a"),
    ],
)
def test_a_settled_golden_state_is_left_alone(
    golden_home: Callable[[str], HypHome], name: str, etag: str | None
) -> None:
    home = golden_home(name)
    before = {path.name for path in home.control_dir.iterdir()}
    engine, found = boot(home, ManualClock(WINDOW_OVER))
    assert found.action == "none"
    assert engine.running_etag == etag
    assert engine.probation is None
    assert {path.name for path in home.control_dir.iterdir()} == before


def test_a_golden_trial_goes_on_and_is_confirmed(golden_home: Callable[[str], HypHome]) -> None:
    home = golden_home("2-probation")
    engine, found = boot(home, ManualClock(WINDOW_OPEN))
    assert found.action == "none"
    assert engine.probation is not None
    assert engine.confirm_poll() == "2dd5ff2f91f47a94"
    assert json.loads(home.state_file.read_text()) == {}


def test_a_golden_first_trial_that_is_over_falls_back_to_the_seed(
    golden_home: Callable[[str], HypHome],
) -> None:
    home = golden_home("2-probation")
    _engine, found = boot(home, ManualClock(WINDOW_OVER))
    assert found.action == "rolled_back"
    assert (active_slot(home), running_etag(home)) == ("a", None)


def test_a_golden_trial_ends_as_the_other_client_ended_it(
    golden_home: Callable[[str], HypHome],
) -> None:
    home = golden_home("7-probation-unreachable")
    boot(home, ManualClock(WINDOW_OVER))
    ours = json.loads(home.state_file.read_text())
    golden = json.loads((GOLDEN / "8-after-probation/config-control/state.json").read_text())
    for record in (ours["bad_etag"], golden["bad_etag"]):
        del record["recorded_at"]
    for record in (ours["last_rollback"], golden["last_rollback"]):
        del record["at"]
    bans = ours.pop("bad_etags")
    assert ours == golden
    # The earlier refusal, which the other client forgets, is still known.
    assert [(ban["etag"], ban["retry_after"]) for ban in bans] == [
        ("696f263cc2b56d44", None),
        ("042cf10c79038c61", 3600.0),
    ]


def test_what_is_not_known_survives_a_trial(golden_home: Callable[[str], HypHome]) -> None:
    home = golden_home("2-probation")
    state = json.loads(home.state_file.read_text())
    state["future"] = {"a": [1]}
    state["probation"]["note"] = "kept"
    state["bad_etag"] = {"etag": "E0", "reason": "validation_failed", "by": "me"}
    home.state_file.write_text(json.dumps(state))
    engine, _found = boot(home, ManualClock(WINDOW_OPEN))
    engine.confirm_poll()
    written = json.loads(home.state_file.read_text())
    assert written["future"] == {"a": [1]}
    assert written["bad_etag"] == state["bad_etag"]
    assert read_control_state(home).bad_etag == BadEtag("E0", "validation_failed", None)
