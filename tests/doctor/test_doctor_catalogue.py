"""What the doctor says of a catalogue that others share."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hypactors.doctor import Finding, Surroundings
from hypactors.doctor._machine import check_catalogue
from hypactors.errors import HypError
from tests.doctor.test_doctor_checks import around

if TYPE_CHECKING:
    from hypactors.lake import Lake
    from hypactors.paths import HypHome

PLAIN = {"uri": "https://lake.example/v1"}
SECRET = {"uri": "postgresql://me:canary@db/lake"}


def configure(home: HypHome, catalog: object, mode: int = 0o600) -> Surroundings:
    home.default_local_config.write_text(
        json.dumps({"version": 2, "query": {"cache": {"catalog": catalog}}})
    )
    home.default_local_config.chmod(mode)
    return around(home)


def is_gone(lake: Lake, timeout_s: float) -> None:
    raise HypError(f"the catalogue {lake}: no answer in {timeout_s:g} s")


def test_a_machine_without_one_hears_nothing_of_it(home: HypHome) -> None:
    assert list(check_catalogue(around(home))) == []


def test_one_that_is_there_is_well(home: HypHome) -> None:
    assert list(check_catalogue(configure(home, PLAIN))) == [
        Finding("catalogue", "ok", "https://lake.example/v1 answers")
    ]


def test_one_that_is_not_there_is_a_failure(home: HypHome) -> None:
    surroundings = replace(configure(home, SECRET), ask_catalogue=is_gone)
    [found] = check_catalogue(surroundings)
    assert (found.level, found.help) == ("fail", "hyp config show --local")
    assert found.message.startswith("the catalogue postgresql://db/lake: no answer in ")


@pytest.mark.parametrize(
    ("catalog", "mode", "warned"),
    [(PLAIN, 0o644, False), (SECRET, 0o600, False), (SECRET, 0o640, True), (SECRET, 0o604, True)],
)
def test_a_secret_that_others_can_read_is_told(
    home: HypHome, catalog: object, mode: int, *, warned: bool
) -> None:
    levels = [found.level for found in check_catalogue(configure(home, catalog, mode))]
    assert levels == (["ok", "warn"] if warned else ["ok"])


def test_a_config_that_cannot_be_read_is_for_another_check(home: HypHome) -> None:
    assert list(check_catalogue(configure(home, {}))) == []
