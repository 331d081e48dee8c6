"""``hyp actions`` with and without a daemon, and imports that take too much."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import CLAUDE, eventually

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process

FAILS_UNTIL_MENDED = """
import os, pathlib, sys
if not (pathlib.Path(os.environ["HYP_HOME"]) / "mended").exists():
    sys.exit("OSError: the disk is on fire, token=canary")
print('{"providers": [{"status": "ok", "rows_written": 3}]}')
"""
HANGS = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""


def only_state(machine: Machine) -> str:
    answer = json.loads(machine.hyp("actions", "list", "--json").stdout)
    [row] = answer["actions"]
    assert isinstance(row["state"], str)
    return row["state"]


def test_a_failure_is_explained_retried_and_forgotten(machine: Machine) -> None:
    machine.join()
    machine.import_with(FAILS_UNTIL_MENDED)
    machine.environ |= {"HYP_RETRY_MIN_S": "3600", "HYP_RETRY_MAX_S": "3600"}
    with machine.daemon() as daemon:
        eventually(lambda: only_state(machine) == "failed")
        explained = machine.hyp("actions", "explain", "claude").stdout
        assert "It failed once, last at " in explained
        assert "exited with code 1: OSError: the disk is on fire, token=[redacted]" in explained
        assert "It is tried again at " in explained
        assert f"To try it now: hyp actions retry {CLAUDE}" in explained
        assert machine.marker()["attempts"] == 1

        (machine.home.root / "mended").touch()
        assert machine.hyp("actions", "retry", "claude").stdout == f"trying {CLAUDE} now\n"
        eventually(lambda: only_state(machine) == "done")
        again = machine.hyp("actions", "retry", CLAUDE)
        said = f"hyp actions: {CLAUDE} is done: there is nothing to retry\n"
        assert (again.returncode, again.stderr) == (1, said)

        refused = machine.hyp("actions", "forget", "claude")
        assert (refused.returncode, "say --yes" in refused.stderr) == (2, True)
        done_by = machine.marker()["run_id"]
        assert machine.hyp("actions", "forget", "claude", "--yes").returncode == 0
        eventually(lambda: machine.marker().get("run_id") not in {None, done_by})
        daemon.signal(15)
        assert daemon.wait() == 0


def test_without_a_daemon_the_files_are_read_and_edited(machine: Machine) -> None:
    machine.join()
    machine.import_with("print('{\"providers\": []}')")
    assert machine.run_once().returncode == 0
    listed = machine.hyp("actions", "list")
    assert listed.stdout.startswith(f"- backfill {CLAUDE}  [done]")
    assert listed.stderr == "hyp actions: no daemon answers: this is what the files say\n"
    retried = machine.hyp("actions", "retry", "--all-failed")
    assert (retried.returncode, "hyp daemon --actors" in retried.stderr) == (4, True)
    unknown = machine.hyp("actions", "explain", "clade")
    said = "hyp actions: there is no action 'clade'; did you mean 'claude'?\n"
    assert (unknown.returncode, unknown.stderr) == (1, said)
    assert machine.hyp("actions", "forget", "claude", "--yes").returncode == 0
    assert machine.marker() == {}
    assert machine.hyp("actions", "forget", "claude", "--yes").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retry"], "retry wants an action or --all-failed"),
        (["retry", "x", "--all-failed"], "retry wants an action or --all-failed"),
        (["explain"], "the following arguments are required: action"),
        (["frobnicate"], "no such command: 'frobnicate'"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(
    machine: Machine, arguments: list[str], said: str
) -> None:
    answer = machine.hyp("actions", *arguments)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert said in answer.stderr


def test_an_import_that_hangs_is_ended_and_is_a_failure(machine: Machine) -> None:
    """Contract §5.6: asked first, then killed, as it does not listen."""
    machine.join()
    machine.import_with(HANGS)
    machine.environ |= {
        "HYP_IMPORT_NO_PROGRESS_S": "1",
        "HYP_GRACE_S": "0.2",
        "HYP_RETRY_MIN_S": "3600",
        "HYP_RETRY_MAX_S": "3600",
    }
    with machine.daemon() as daemon:
        eventually(lambda: machine.marker().get("status") == "failed")
        assert machine.marker()["reason"].startswith("no progress for 1 s (")
        [over] = machine.events("import_over_limit")
        assert over["reason"] == "no progress for 1 s"
        daemon.signal(15)
        assert daemon.wait() == 0
