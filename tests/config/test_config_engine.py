"""Apply, confirm, roll back: config-control §4 and §5, one machine and its server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.config import ApplyEngine, active_slot, read_control_state
from hypactors.paths import HypHome
from tests.faults.machine import BAD, NOTHING, SEED, Machine, document

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_apply_keeps_the_seed_as_its_way_back(machine: Machine) -> None:
    """config-control 13."""
    seed = machine.home.seed_file.read_bytes()
    machine.poll("E1")
    assert machine.restarts == ["config_applied"]
    assert machine.home.active_link.is_symlink()
    assert str(machine.home.active_link.readlink()) == "config.b.json"
    assert machine.home.slot_file("a").read_bytes() == seed
    assert not machine.home.seed_file.exists()
    assert machine.engine.running_etag == "E1"
    trial = machine.engine.probation
    assert trial is not None
    assert (trial.slot, trial.previous_slot) == ("b", "a")
    assert machine.home.slot_etag_file("b").read_bytes() == b"E1\n"
    for path in machine.home.control_dir.iterdir():
        assert path.is_symlink() or path.stat().st_mode & 0o777 == 0o600


def test_before_the_checks_are_there_nothing_is_applied(machine: Machine) -> None:
    """config-control 15."""
    engine = ApplyEngine(machine.home, clock=machine.clock, log=machine.log)
    result = engine.stage(document("E1"), "E1")
    assert (result.action, result.error_kind) == (None, "apply_engine_not_ready")
    assert not result.is_restart_wanted
    assert machine.log.names() == ["config.apply_failed"]


def test_a_refused_document_leaves_the_seed_in_force(machine: Machine) -> None:
    """config-control 16."""
    result = machine.poll(BAD)
    assert result is not None
    assert (result.error_kind, result.message) == ("config_invalid", "/sinks/central: is bad")
    assert machine.in_force() == SEED
    assert machine.engine.running_etag is None
    state = read_control_state(machine.home)
    assert state.bad_etag is not None
    assert (state.bad_etag.etag, state.bad_etag.reason) == (BAD, "validation_failed")
    assert state.last_rollback is None
    assert machine.restarts == []


@pytest.mark.parametrize("etag", [None, "", " \n", "E\n1", "\ud800", "E\x00"])
def test_without_a_usable_etag_nothing_is_applied(machine: Machine, etag: str | None) -> None:
    result = machine.engine.stage(document("E1"), etag)
    assert result.error_kind == "config_invalid"
    assert read_control_state(machine.home).bad_etag is None


def test_the_same_etag_changes_nothing_and_a_restart_blocks_the_next(machine: Machine) -> None:
    """config-control 21, contract §1: until the restart is over."""
    assert machine.engine.stage(document("E1"), "E1").is_restart_wanted
    assert machine.engine.stage(document("E2"), "E2").error_kind == "restart_pending"
    # A poll that was made under the config before confirms nothing.
    assert machine.engine.confirm_poll() is None
    machine.boot()
    assert machine.engine.stage(document("E1"), "E1").action == "noop_same_etag"


def test_the_second_apply_takes_the_other_slot(machine: Machine) -> None:
    """config-control 22."""
    machine.settle("E1")
    machine.poll("E2")
    trial = machine.engine.probation
    assert trial is not None
    assert (trial.slot, trial.previous_slot) == ("a", "b")
    assert active_slot(machine.home) == "a"


def test_a_trial_is_confirmed_before_the_next_begins(machine: Machine) -> None:
    """config-control §5.5; the slot to go back to is never written by an apply."""
    machine.poll("E1")
    assert machine.engine.stage(document("E2"), "E2").error_kind == "probation_active"
    assert machine.home.slot_file("a").read_bytes() == document(SEED)
    machine.poll("E2")
    assert machine.edges == ["E1"]
    assert machine.in_force() == "E2"


def test_the_edge_is_given_once(machine: Machine) -> None:
    """config-control 26."""
    machine.confirm()
    machine.poll("E1")
    machine.confirm()
    machine.confirm()
    assert machine.edges == ["E1"]
    assert machine.engine.probation is None
    assert machine.engine.running_etag == "E1"
    assert machine.log.names().count("config.probation_cleared") == 1


def test_a_boot_before_the_end_changes_nothing(machine: Machine) -> None:
    """config-control 27."""
    machine.poll("E1")
    assert machine.boot().action == "none"
    assert machine.on_trial() == "E1"


def test_a_second_trial_falls_back_to_the_first_config(machine: Machine) -> None:
    """config-control 27 and 29."""
    machine.settle("E1")
    machine.poll("E2")
    machine.clock.advance(180)
    machine.tick()
    assert machine.restarts == ["config_applied", "config_applied", "probation_expired"]
    assert machine.in_force() == "E1"
    state = read_control_state(machine.home)
    assert state.last_rollback is not None
    assert state.bad_etag is not None
    assert (state.last_rollback.etag, state.last_rollback.reason) == ("E2", "probation_expired")
    assert (state.bad_etag.etag, state.bad_etag.reason) == ("E2", "probation_expired")
    assert state.probation is None
    assert machine.log.names()[-2:] == ["config.probation_expired", "config.rollback"]


def test_a_first_trial_falls_back_to_the_seed(machine: Machine) -> None:
    """config-control 27 and 29: the token is back in force, and the next apply takes slot b."""
    machine.poll("E1")
    machine.clock.advance(180)
    machine.tick()
    assert machine.restarts == ["config_applied", "probation_expired"]
    assert machine.in_force() == SEED
    assert machine.engine.running_etag is None
    machine.poll("E2")
    assert active_slot(machine.home) == "b"


def test_a_confirmed_config_is_not_taken_back(machine: Machine) -> None:
    """config-control 29."""
    machine.settle("E1")
    machine.clock.advance(10_000)
    machine.tick()
    assert machine.restarts == ["config_applied"]
    assert machine.engine.next_tick_s() is None


def test_a_marker_of_another_slot_is_an_apply_that_never_was(machine: Machine) -> None:
    """config-control 28."""
    machine.settle("E1")
    trial = {"etag": "E2", "slot": "a", "previous_slot": "b", "until": "2020-01-01T00:00:00Z"}
    machine.home.state_file.write_text(json.dumps({"probation": trial}))
    assert machine.engine.probation is None
    assert machine.boot().action == "cleared_orphan"
    assert machine.in_force() == "E1"
    assert "E2" not in machine.banned()


@pytest.mark.parametrize("is_at_boot", [True, False])
def test_with_nothing_to_go_back_to_the_config_stays(home: HypHome, *, is_at_boot: bool) -> None:
    """config-control 30."""
    machine = Machine(home)
    machine.boot()
    assert machine.in_force() == NOTHING
    machine.poll("E1")
    machine.clock.advance(180)
    if is_at_boot:
        machine.engine.close()
        assert machine.boot().action == "rollback_no_target"
    else:
        machine.tick()
    assert machine.restarts == ["config_applied"]
    assert (machine.in_force(), machine.on_trial(), machine.banned()) == ("E1", None, set())
    assert "config.rollback_no_target" in machine.log.names()


def test_a_damaged_slot_is_nothing_to_go_back_to(machine: Machine) -> None:
    machine.settle("E1")
    machine.poll("E2")
    machine.home.slot_file("b").write_bytes(b"{ torn")
    machine.clock.advance(180)
    machine.tick()
    assert machine.in_force() == "E2"
    assert machine.log.events[-1][1]["detail"] == "previous_slot_unusable"


@pytest.mark.parametrize("has_seed", [True, False])
def test_a_bad_config_in_force_is_left(machine: Machine, *, has_seed: bool) -> None:
    """config-control 31."""
    machine.settle("E1")
    if has_seed:
        machine.join()
    bad = {"etag": "E1", "reason": "validation_failed", "recorded_at": "2026-06-25T00:00:00.000Z"}
    machine.home.state_file.write_text(json.dumps({"bad_etag": bad}))
    found = machine.boot()
    assert found.action == "recovered_bad_active"
    assert found.fallback == ("seed" if has_seed else "repull")
    assert machine.home.active_link.is_symlink() is not has_seed
    assert machine.in_force() == (SEED if has_seed else "E1")
    assert machine.banned() == set()
    assert machine.log.names()[-1] == "config.bad_etag_active_recovered"


def test_a_config_whose_actors_crash_is_taken_back_at_once(machine: Machine) -> None:
    """Contract §7: banned for good."""
    machine.settle("E1")
    machine.poll("E2")
    assert machine.engine.roll_back("probation_crashed").is_restart_wanted
    assert machine.engine.is_restart_pending
    assert machine.in_force() == "E1"
    [ban] = read_control_state(machine.home).bad_etags
    assert (ban.reason, ban.retry_after) == ("probation_crashed", None)


def test_a_crash_with_nothing_to_go_back_to_leaves_the_trial_on(home: HypHome) -> None:
    """Contract §7: the caller escalates."""
    machine = Machine(home)
    machine.boot()
    machine.poll("E1")
    assert machine.engine.roll_back("probation_crashed").outcome == "no_target"
    assert machine.on_trial() == "E1"


def test_a_corrupt_state_is_set_aside_and_the_slot_stays(machine: Machine) -> None:
    """The daemon boots and stays on the active slot."""
    machine.settle("E1")
    machine.home.state_file.write_bytes(b"{ torn")
    assert machine.boot().action == "none"
    [kept] = machine.home.control_dir.glob("state.json.corrupt-*")
    assert kept.read_bytes() == b"{ torn"
    assert machine.in_force() == "E1"
    assert machine.log.names()[-1] == "config.state_set_aside"
    machine.poll("E2")
    assert machine.on_trial() == "E2"


def test_a_seed_that_a_crash_left_is_retired_once_the_config_is_confirmed(
    machine: Machine,
) -> None:
    """It holds a token."""
    machine.poll("E1")
    machine.join()
    machine.boot()
    assert machine.home.seed_file.exists()
    machine.confirm()
    assert not machine.home.seed_file.exists()
    machine.join()
    machine.boot()
    assert not machine.home.seed_file.exists()
    assert "config.seed_retired" in machine.log.names()


def test_joining_again_starts_from_the_new_seed(machine: Machine) -> None:
    """config-control 41 and §7.1."""
    machine.settle("E1")
    machine.poll(BAD)
    machine.join()
    assert machine.engine.reset_to_seed() is True
    assert [path.name for path in machine.home.control_dir.iterdir()] == ["seed.json"]
    assert machine.engine.reset_to_seed() is False


@pytest.mark.parametrize("target", ["active", "nowhere", "config.c.json"])
def test_a_link_to_nothing_goes_with_the_reset(machine: Machine, target: str) -> None:
    machine.home.active_link.symlink_to(target)
    assert machine.engine.reset_to_seed() is False
    assert not machine.home.active_link.is_symlink()


def test_an_etag_that_was_left_in_the_seeds_slot_does_not_become_its_etag(
    machine: Machine,
) -> None:
    """config-control 34: leftovers are invisible."""
    machine.home.slot_etag_file("a").write_text("E9\n")
    machine.poll("E1")
    machine.clock.advance(180)
    machine.tick()
    assert machine.in_force() == SEED


def test_what_is_in_force_is_not_banned_when_it_is_served_anew(machine: Machine) -> None:
    """A damaged active slot is pulled again, and what is served for it may be damaged too."""
    machine.settle("E1")
    machine.home.slot_file("b").write_bytes(b"{ torn")
    assert machine.engine.running_etag is None
    assert machine.engine.stage(b"{ torn", "E1").error_kind == "config_invalid"
    assert machine.banned() == set()
    assert machine.engine.stage(document("E1"), "E1").action == "applied"
    assert machine.in_force() == "E1"


def test_a_machine_without_a_control_folder_gets_one(tmp_path: Path) -> None:
    """config-control §4.2 C0."""
    machine = Machine(HypHome(tmp_path / "new"))
    machine.home.control_dir.rmdir()
    assert machine.boot().action == "none"
    machine.poll("E1")
    assert machine.in_force() == "E1"
    assert machine.home.control_dir.stat().st_mode & 0o777 == 0o700
