"""How long a trial lasts and a ban holds: config-control §5, contract §7."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.clock import ManualClock, iso_ms
from hypactors.config import read_control_state
from tests.faults.machine import BAD, Machine, document

if TYPE_CHECKING:
    from hypactors.paths import HypHome

HOUR_S = 3600.0


class Laptop(ManualClock):
    """A clock whose wall goes on while the machine sleeps or is off."""

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Laptop:
    return Laptop()


@pytest.fixture
def machine(home: HypHome, clock: Laptop) -> Machine:
    machine = Machine(home, clock=clock)
    machine.join()
    machine.boot()
    return machine


def sinks(*polls: object) -> bytes:
    made: dict[str, Any] = {"other": {"plugin": "@hypaware/otel", "config": {}}}
    for number, poll in enumerate(polls):
        config = {} if poll is ... else {"poll_interval_seconds": poll}
        made[f"central{number}"] = {"plugin": "@hypaware/central", "config": config}
    return json.dumps({"version": 2, "sinks": made}).encode()


@pytest.mark.parametrize(
    ("polls", "window_s"),
    [
        ((), 900),
        ((...,), 900),
        ((5,), 120),
        ((100,), 300),
        ((3600, 100), 300),
        ((600, ...), 900),
        (("100",), 900),
        ((True,), 900),
        ((-5,), 900),
        ((0,), 900),
        ((50.5,), 151.5),
        ((0.001,), 120),
        # An absurd cadence does not stretch the window.
        ((1e300,), 10_800),
        ((10**30,), 10_800),
    ],
)
def test_the_window_is_three_polls(
    machine: Machine, polls: tuple[object, ...], window_s: float
) -> None:
    """config-control 14."""
    machine.engine.attach(validate=lambda _document: [], install=lambda _document: None)
    assert machine.engine.stage(sinks(*polls), "E1").action == "applied"
    trial = machine.engine.probation
    assert trial is not None
    assert (trial.window_s, trial.elapsed_s, trial.boots) == (window_s, 0, 0)
    assert trial.applied_at == iso_ms(machine.clock.now())
    assert trial.until == iso_ms(machine.clock.now() + timedelta(seconds=window_s))


def test_the_window_stands_still_in_sleep(machine: Machine, clock: Laptop) -> None:
    """Contract §7."""
    machine.poll("E1")
    clock.sleep(8 * HOUR_S)
    machine.tick()
    assert machine.on_trial() == "E1"
    clock.advance(179)
    machine.tick()
    assert machine.on_trial() == "E1"
    clock.advance(1)
    machine.tick()
    assert machine.restarts[-1] == "probation_expired"


def test_time_is_saved_every_ten_seconds_and_at_a_stop(machine: Machine, clock: Laptop) -> None:
    """Contract §7."""
    machine.poll("E1")

    def saved() -> float:
        trial = read_control_state(machine.home).probation
        assert trial is not None
        return trial.elapsed_s

    clock.advance(9)
    machine.tick()
    assert saved() == 0
    clock.advance(1)
    machine.tick()
    assert saved() == 10
    clock.advance(5)
    machine.engine.close()
    assert saved() == 15
    machine.engine.close()
    assert saved() == 15


def test_the_window_goes_on_where_a_stop_left_it(machine: Machine, clock: Laptop) -> None:
    """Contract §7: a day off is no part of it."""
    machine.poll("E1")
    clock.advance(100)
    machine.engine.close()
    clock.sleep(24 * HOUR_S)
    machine.boot()
    assert machine.on_trial() == "E1"
    clock.advance(79)
    machine.tick()
    assert machine.on_trial() == "E1"
    assert machine.engine.next_tick_s() == 1
    clock.advance(1)
    machine.tick()
    assert machine.on_trial() is None


def test_a_window_that_ended_before_a_stop_is_lost_at_boot(machine: Machine, clock: Laptop) -> None:
    """config-control 27."""
    machine.settle("E1")
    machine.poll("E2")
    clock.advance(200)
    machine.engine.close()
    found = machine.boot()
    assert (found.action, found.etag, found.reason) == ("rolled_back", "E2", "probation_expired")
    assert not machine.engine.is_restart_pending
    assert machine.in_force() == "E1"


def test_the_third_boot_past_the_end_is_the_last(machine: Machine, clock: Laptop) -> None:
    """Contract §7: a machine that crashes again and again never gets through its window."""
    machine.poll("E1")
    assert machine.boot().action == "none"
    clock.sleep(179)
    assert machine.boot().action == "none"
    assert machine.boot().action == "none"
    clock.sleep(1)
    assert machine.boot().action == "rolled_back"


def test_two_boots_past_the_end_are_not_too_many(machine: Machine, clock: Laptop) -> None:
    machine.poll("E1")
    clock.sleep(HOUR_S)
    assert [machine.boot().action for _ in range(3)] == ["none", "none", "rolled_back"]


def foreign(machine: Machine, until: str | None) -> None:
    """Leave the marker as the other client writes it."""
    machine.settle("E1")
    machine.poll("E2")
    trial = json.loads(machine.home.state_file.read_text())["probation"]
    for key in ("window_s", "elapsed_s", "boots"):
        del trial[key]
    machine.home.state_file.write_text(json.dumps({"probation": {**trial, "until": until}}))


def test_a_marker_of_the_other_client_ends_on_the_wall_clock(
    machine: Machine, clock: Laptop
) -> None:
    """Contract §7, config-control §5.2: to the letter."""
    foreign(machine, iso_ms(clock.now() + timedelta(seconds=60)))
    assert machine.boot().action == "none"
    assert machine.engine.next_tick_s() == 10
    clock.sleep(59)
    machine.tick()
    assert machine.engine.next_tick_s() == 1
    assert machine.on_trial() == "E2"
    clock.sleep(1)
    machine.tick()
    assert machine.in_force() == "E1"


def test_a_marker_of_the_other_client_is_lost_at_boot(machine: Machine, clock: Laptop) -> None:
    foreign(machine, iso_ms(clock.now()))
    assert machine.boot().action == "rolled_back"


@pytest.mark.parametrize("until", [None, "", "soon", "0001-01-01T00:00:00+23:59"])
def test_an_end_that_cannot_be_read_begins_a_window(
    machine: Machine, clock: Laptop, until: str | None
) -> None:
    """config-control §8: neither for ever nor at once."""
    foreign(machine, until)
    assert machine.boot().action == "none"
    clock.advance(899)
    machine.tick()
    assert machine.on_trial() == "E2"
    clock.advance(1)
    machine.tick()
    assert machine.in_force() == "E1"


def lose(machine: Machine, etag: str) -> None:
    assert machine.poll(etag) is not None
    assert machine.on_trial() == etag
    machine.clock.advance(180)
    machine.tick()
    assert machine.on_trial() is None


def polls_until_retried(machine: Machine, etag: str) -> float:
    """Poll a server that goes on serving it, every ten minutes; return the time it took."""
    begun = machine.clock.monotonic()
    while machine.on_trial() is None:
        machine.poll(etag)
        machine.clock.advance(600)
    return machine.clock.monotonic() - 600 - begun


def test_a_server_outage_bans_a_config_for_a_while(machine: Machine) -> None:
    """Contract §7: after 1 h, then 6 h, then 24 h and 24 h again of successful polls."""
    machine.settle("E1")
    lose(machine, "E2")
    waits = []
    for _ in range(4):
        waits.append(polls_until_retried(machine, "E2"))
        machine.clock.advance(180)
        machine.tick()
    assert waits == [1 * HOUR_S, 6 * HOUR_S, 24 * HOUR_S, 24 * HOUR_S]
    machine.poll("E1")
    [ban] = read_control_state(machine.home).bad_etags
    assert (ban.tries, ban.retry_after) == (5, 24 * HOUR_S)


def test_a_config_that_proves_good_is_not_held_against(machine: Machine) -> None:
    machine.settle("E1")
    lose(machine, "E2")
    polls_until_retried(machine, "E2")
    state = read_control_state(machine.home)
    # The other client must not find the config on trial among the bad ones.
    assert state.bad_etag is None
    machine.poll("E2")
    assert read_control_state(machine.home).bad_etags == ()


def test_only_time_in_which_polls_succeed_ends_a_ban(machine: Machine, clock: Laptop) -> None:
    """Contract §7: not an outage, not sleep, not a day off."""
    machine.settle("E1")
    lose(machine, "E2")
    for _ in range(30):
        machine.poll("E2")
        machine.engine.poll_failed()
        clock.advance(600)
    assert machine.on_trial() is None
    clock.sleep(48 * HOUR_S)
    machine.poll("E2")
    machine.boot()
    machine.poll("E2")
    assert machine.on_trial() is None


def test_a_gap_without_polls_counts_for_little(machine: Machine, clock: Laptop) -> None:
    machine.settle("E1")
    lose(machine, "E2")
    polls_until_retried(machine, "E2")
    machine.tick()
    machine.poll("E2")
    clock.advance(100 * HOUR_S)
    machine.poll("E2")
    [ban] = read_control_state(machine.home).bad_etags
    assert ban.retry_after == 5 * HOUR_S


def test_bad_revisions_that_alternate_are_not_tried_again(machine: Machine) -> None:
    """The memory holds more than the newest."""
    machine.settle("E1")
    for _ in range(3):
        for number in range(16):
            machine.poll(f"{BAD}{number}")
    assert machine.log.names().count("config.apply_failed") == 16
    state = read_control_state(machine.home)
    assert [ban.etag for ban in state.bad_etags] == [f"{BAD}{number}" for number in range(16)]
    assert state.bad_etag is not None
    assert state.bad_etag.etag == f"{BAD}15"
    machine.poll(f"{BAD}16")
    assert len(read_control_state(machine.home).bad_etags) == 16
    assert f"{BAD}0" not in machine.banned()


@pytest.mark.parametrize(("reason", "wait_s"), [("probation_expired", HOUR_S), ("x", None)])
def test_a_ban_that_the_other_client_wrote_holds(
    machine: Machine, reason: str, wait_s: float | None
) -> None:
    machine.settle("E1")
    machine.home.state_file.write_text(
        json.dumps({"bad_etag": {"etag": "E2", "reason": reason, "recorded_at": "x", "more": 1}})
    )
    machine.boot()
    assert machine.engine.stage(document("E2"), "E2").action == "skipped_bad_etag"
    machine.poll(BAD)
    [ban, newest] = read_control_state(machine.home).bad_etags
    assert (ban.etag, ban.retry_after, newest.etag) == ("E2", wait_s, BAD)
