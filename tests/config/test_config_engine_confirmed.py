"""When the config in force was confirmed: noted for people, and trusted for nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.clock import iso_ms
from hypactors.config import confirmed_at
from tests.faults.disk import FaultyDisk, restore, snapshot

if TYPE_CHECKING:
    from tests.faults.machine import Machine


def test_the_time_is_noted_when_a_trial_is_won(machine: Machine) -> None:
    assert confirmed_at(machine.home) is None
    machine.poll("E1")
    machine.clock.advance(60)
    assert confirmed_at(machine.home) is None
    machine.confirm()
    noted = iso_ms(machine.clock.now())
    machine.clock.advance(60)
    machine.confirm()
    assert confirmed_at(machine.home) == noted, "a later poll confirms nothing"
    assert json.loads(machine.home.state_file.read_text()) == {}, "the other client's file"


def test_after_a_rollback_it_is_that_of_the_config_before(machine: Machine) -> None:
    machine.settle("E1")
    noted = confirmed_at(machine.home)
    assert noted is not None
    machine.poll("E2")
    assert confirmed_at(machine.home) is None
    machine.clock.advance(180)
    machine.tick()
    assert machine.in_force() == "E1"
    assert confirmed_at(machine.home) == noted


def test_a_slot_that_is_written_anew_was_not_confirmed(machine: Machine) -> None:
    """Its note is of a config that is gone."""
    for etag in ("E1", "E2", "E3"):
        machine.settle(etag)
    machine.poll("E4")
    assert confirmed_at(machine.home) is None


def test_a_disk_that_is_full_keeps_no_config_from_being_confirmed(machine: Machine) -> None:
    machine.poll("E1")
    before = snapshot(machine.home.control_dir)
    calm = FaultyDisk(machine.home.control_dir)
    machine.put_in(calm)
    machine.engine.confirm_poll()
    fault_at = calm.steps.index("create config.b.confirmed.json.tmp") + 1

    restore(machine.home.control_dir, before)
    machine.put_in(FaultyDisk(machine.home.control_dir, fault="error", fault_at=fault_at))
    machine.confirm()
    assert machine.edges == ["E1"]
    assert machine.engine.probation is None
    assert confirmed_at(machine.home) is None
    assert "config.confirmation_not_noted" in machine.log.names()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"etag": "E1"}', b'{"etag": 1, "at": "x"}'])
def test_a_note_that_cannot_be_read_is_none(machine: Machine, raw: bytes) -> None:
    machine.settle("E1")
    machine.home.slot_confirmed_file("b").write_bytes(raw)
    assert confirmed_at(machine.home) is None
