"""The real program on a home where a config change was cut off, lost or damaged."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from hypactors.clock import ManualClock, iso_ms
from hypactors.config import ApplyEngine, running_etag
from tests.e2e.machine import CLAUDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process

WINDOW_S = 900


def document(window_days: int) -> bytes:
    block = {"on_join": False, "window_days": window_days}
    plugin = {"name": CLAUDE, "config": {"backfill": block}}
    return json.dumps({"version": 2, "plugins": [plugin]}).encode()


def earlier_daemon(machine: Machine, clock: ManualClock) -> ApplyEngine:
    """Return the engine of a daemon that has taken ``old``, confirmed it, and now tries ``new``."""
    machine.home.control_dir.mkdir(parents=True)
    machine.home.seed_file.write_bytes(document(1))
    engine = ApplyEngine(
        machine.home,
        clock=clock,
        log=structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()]),
    )
    engine.attach(validate=lambda _document: [], install=lambda _document: None)
    for number, etag in enumerate(("old", "new"), start=2):
        engine.confirm_poll()
        assert engine.stage(document(number), etag).action == "applied"
        engine.restart_completed()
    return engine


def expired(machine: Machine) -> None:
    clock = ManualClock(datetime.now(UTC) - timedelta(hours=1))
    engine = earlier_daemon(machine, clock)
    clock.advance(WINDOW_S)
    engine.close()


def orphan(machine: Machine) -> None:
    """Leave what a crash before the flip leaves: a trial of a slot that is not active."""
    earlier_daemon(machine, ManualClock(datetime.now(UTC)))
    machine.home.active_link.unlink()
    machine.home.active_link.symlink_to("config.b.json")


def bad_active(machine: Machine) -> None:
    """Leave a banned etag in force, as the other client can."""
    earlier_daemon(machine, ManualClock(datetime.now(UTC)))
    now = iso_ms(datetime.now(UTC))
    bad = {"etag": "new", "reason": "probation_expired", "recorded_at": now}
    machine.home.state_file.write_text(json.dumps({"bad_etag": bad}))


def boot(machine: Machine) -> dict[str, Any]:
    """Start the daemon, ask for its health, and return the state that it leaves."""
    with machine.daemon() as daemon:
        assert machine.status()["daemon"]["state"] == "healthy"
        daemon.process.terminate()
        assert daemon.wait() == 0
    assert machine.events("actor_crashed") == []
    state: dict[str, Any] = json.loads(machine.home.state_file.read_bytes())
    return state


@pytest.mark.parametrize(
    ("cut_off", "action", "etag", "passes"),
    [
        (expired, "rolled_back", "old", ["boot-already-confirmed"]),
        (orphan, "cleared_orphan", "old", ["boot-already-confirmed"]),
        (bad_active, "recovered_bad_active", "new", ["boot-already-confirmed"]),
    ],
    ids=["expired", "orphan", "bad active"],
)
def test_a_boot_mends_what_was_cut_off_and_runs_the_right_config(
    machine: Machine, cut_off: Callable[[Machine], None], action: str, etag: str, passes: list[str]
) -> None:
    """config-control 27, 28, 31, 36: said once, and with one pass, as nothing is on trial."""
    cut_off(machine)
    state = boot(machine)
    [line] = machine.events("daemon.config_probation_boot_action")
    assert (line["action"], line["etag"]) == (action, "new")
    assert running_etag(machine.home) == etag
    assert "probation" not in state
    assert ("bad_etag" in state) == (action == "rolled_back")
    assert [line["hyp_reason"] for line in machine.events("daemon.reconcile_pass")] == passes


def test_a_boot_before_the_end_of_the_window_goes_on_with_the_trial(machine: Machine) -> None:
    """config-control 27, 36: no pass, and the boot is counted."""
    engine = earlier_daemon(machine, ManualClock(datetime.now(UTC)))
    engine.close()
    trial = boot(machine)["probation"]
    assert (trial["etag"], trial["boots"]) == ("new", 1)
    assert 0 < trial["elapsed_s"] < WINDOW_S
    assert running_etag(machine.home) == "new"
    assert machine.events("daemon.config_probation_boot_action") == []
    assert machine.events("daemon.reconcile_pass") == []


def test_a_state_file_that_is_no_json_is_set_aside_and_the_active_slot_runs(
    machine: Machine,
) -> None:
    """The daemon boots, says so, and stays on the active slot."""
    earlier_daemon(machine, ManualClock(datetime.now(UTC)))
    machine.home.state_file.write_bytes(b'{"probation": ')
    with machine.daemon() as daemon:
        daemon.process.terminate()
        assert daemon.wait() == 0
    [line] = machine.events("config.state_set_aside")
    [aside] = machine.home.control_dir.glob("state.json.*")
    assert aside.read_bytes() == b'{"probation": '
    assert line["kept_as"] in {aside.name, str(aside)}
    assert running_etag(machine.home) == "new"
    assert machine.events("daemon.healthy") != []
