"""Stopping a daemon whose import goes on: what is said, and what hurries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import TRAP_S, eventually

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process

WAITS = """
import os, pathlib, signal, sys, time
home = pathlib.Path(os.environ["HYP_HOME"])
if os.environ.get("DEAF"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
(home / "started").touch()
while not (home / "release").exists():
    time.sleep(0.01)
print('{"providers": [{"status": "ok", "rows_written": 3}]}')
"""


@pytest.fixture
def importing(machine: Machine) -> Machine:
    machine.join()
    machine.import_with(WAITS)
    return machine


def started(machine: Machine) -> None:
    eventually((machine.home.root / "started").exists)


def test_it_says_whom_it_waits_for_and_when_that_has_finished(importing: Machine) -> None:
    with importing.daemon() as daemon:
        started(importing)
        stop = importing.start("daemon", "stop")
        assert stop.stderr is not None
        said = stop.stderr.readline()
        assert said == (
            "hyp daemon: waits up to 30 s for claude to finish; "
            "'hyp daemon stop --now' interrupts\n"
        )
        (importing.home.root / "release").touch()
        out, err = stop.communicate(timeout=TRAP_S)
        assert out == "hyp daemon: stopped\n"
        assert err in {"hyp daemon: claude has finished\n", ""}, "it may have gone before we asked"
        assert daemon.wait() == 0
    assert importing.marker()["rows"] == 3
    assert "waiting up to 30 s for backfill:claude" in importing.stderr()


def test_a_second_stop_interrupts_and_a_third_kills(importing: Machine) -> None:
    """An import that is deaf is no reason to wait for ever; nothing is counted as a failure."""
    importing.environ |= {"DEAF": "1", "HYP_GRACE_S": "30"}
    with importing.daemon() as daemon:
        started(importing)
        patient = importing.start("daemon", "stop")
        assert patient.stderr is not None
        assert "waits up to" in patient.stderr.readline()
        hurried = importing.start("daemon", "stop", "--now")
        eventually(lambda: importing.events("import_stop_requested"))
        assert importing.events("import_stop_requested")[0]["at_once"] is False
        at_once = importing.start("daemon", "stop", "--now")
        for stop in (patient, hurried, at_once):
            assert stop.communicate(timeout=TRAP_S)[0] in {
                "hyp daemon: stopped\n",
                f"hyp daemon: not running on {importing.home.root}\n",
            }
        assert daemon.wait() == 0
    assert importing.events("import_stop_requested")[1]["at_once"] is True
    assert importing.marker() == {}
