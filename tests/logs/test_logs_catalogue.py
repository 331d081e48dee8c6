"""The catalogue of events against the source, in both directions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from hypactors.logs._catalogue import CATALOGUE
from tests.logs.emitted import emitted

BOUND = {"kind", "request_key", "run_id", "provider", "pass_id"}
"""Fields that a logger carries, so that the call does not name them."""

BY_NAME = {event.name: event for event in CATALOGUE}
EMITTED, UNCLEAR = emitted()

FROM_PROVIDERS = {"unsupported_location"}
"""Events that a provider hands to the engine as a notice."""


def test_the_source_is_read() -> None:
    assert len(EMITTED) > 80
    assert "provider" in EMITTED["batch_committed"].fields
    assert EMITTED["client_action.failed"].levels == {"error"}


def test_every_name_is_to_be_read_from_the_source() -> None:
    """But for the one method that passes on, and the notices of providers."""
    assert sorted(UNCLEAR) == [
        "hypactors/importing/_engine.py: self._around.log.event(event",
        "hypactors/importing/_engine.py: self._log(notice.event",
    ]


def test_each_event_is_catalogued_once_and_logged_somewhere() -> None:
    assert [
        name for name, count in Counter(event.name for event in CATALOGUE).items() if count > 1
    ] == []
    assert sorted(EMITTED.keys() - BY_NAME.keys()) == []
    assert sorted(BY_NAME.keys() - EMITTED.keys() - FROM_PROVIDERS) == []


@pytest.mark.parametrize("name", sorted(EMITTED.keys() & BY_NAME.keys()))
def test_levels_and_fields_are_those_of_the_source(name: str) -> None:
    declared, found = BY_NAME[name], EMITTED[name]
    if len(found.levels) == 1:
        assert set(declared.levels) == found.levels
    else:
        assert set(declared.levels) <= found.levels
    assert found.fields <= set(declared.fields)
    if not found.has_more:
        assert set(declared.fields) - found.fields <= BOUND


def test_each_event_says_what_it_means() -> None:
    assert [event.name for event in CATALOGUE if not event.meaning.endswith((".", "?"))] == []


@pytest.mark.process
def test_the_catalogue_is_printed() -> None:
    run = [sys.executable, "-P", "-m", "hypactors", "logs", "events"]
    text = subprocess.run(run, check=True, capture_output=True, text=True, timeout=30).stdout
    assert "client_action.done  [info]\n    An action is done and on record.\n" in text
    told = subprocess.run([*run, "--json"], check=True, capture_output=True, timeout=30).stdout
    assert [event["name"] for event in json.loads(told)["events"]] == [e.name for e in CATALOGUE]
