"""What was promised survives ``kill -9`` of any part, and nothing is done twice."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from hypactors.processes import ProviderRuns, RunFolder
from tests.e2e.machine import CLAUDE, eventually, session_lines

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process

WAITS_FOR_RELEASE = """
    import json, os, pathlib, sys, time
    root = pathlib.Path({root!r})
    with open(root / "starts", "a") as starts:
        starts.write("start\\n")
    while not (root / "release").exists():
        time.sleep(0.01)
    print(json.dumps({{"providers": [{{"status": "ok", "rows_written": 7}}]}}))
"""


def patient_import(machine: Machine) -> None:
    machine.import_with(WAITS_FOR_RELEASE.format(root=str(machine.root)))
    machine.join()


def starts(machine: Machine) -> int:
    try:
        return (machine.root / "starts").read_text().count("start")
    except FileNotFoundError:
        return 0


def release(machine: Machine) -> None:
    (machine.root / "release").touch()


def live_run(machine: Machine) -> RunFolder:
    """Return the run whose import has begun."""
    eventually(lambda: starts(machine))
    runs = ProviderRuns(machine.home, "claude")
    eventually(lambda: (pids := runs.runs()[0].pids()) is not None and pids.import_ is not None)
    return runs.runs()[0]


def pids_of(run: RunFolder) -> tuple[int, int]:
    pids = run.pids()
    assert pids is not None
    assert pids.import_ is not None
    return pids.launcher.pid, pids.import_.pid


def log_of(run: RunFolder) -> str:
    try:
        return (run.path / "log.jsonl").read_text()
    except FileNotFoundError:
        return ""


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_an_import_survives_its_daemon_and_the_next_one_takes_its_result(machine: Machine) -> None:
    patient_import(machine)
    with machine.daemon() as daemon:
        run = live_run(machine)
        daemon.signal(signal.SIGKILL)
        assert daemon.wait() == -signal.SIGKILL
    assert not is_gone(pids_of(run)[1])
    assert machine.status()["client_actions"][0]["state"] == "running"
    with machine.daemon():
        eventually(lambda: machine.events("import_adopted"))
        assert machine.status()["client_actions"][0]["pid"] == pids_of(run)[1]
        release(machine)
        eventually(lambda: machine.marker().get("status") == "done")
    assert machine.marker()["rows"] == 7
    assert machine.marker()["run_id"] == run.run_id
    assert starts(machine) == 1, "it was never started twice"


def test_a_result_that_came_while_no_daemon_ran_is_replayed(machine: Machine) -> None:
    patient_import(machine)
    with machine.daemon() as daemon:
        run = live_run(machine)
        daemon.signal(signal.SIGKILL)
        daemon.wait()
    release(machine)
    eventually(lambda: run.result() is not None)
    assert machine.run_once().returncode == 0
    assert (machine.marker()["rows"], machine.marker()["run_id"]) == (7, run.run_id)
    assert starts(machine) == 1
    record = run.record()
    assert record is not None
    assert (record.state, record.outcome) == ("settled", "done")


def test_a_killed_import_is_a_failure_that_names_the_signal(machine: Machine) -> None:
    patient_import(machine)
    machine.environ["HYP_RETRY_MIN_S"] = machine.environ["HYP_RETRY_MAX_S"] = "600"
    with machine.daemon():
        os.kill(pids_of(live_run(machine))[1], signal.SIGKILL)
        eventually(lambda: machine.marker().get("status") == "failed")
    assert "SIGKILL" in machine.marker()["reason"]
    assert machine.marker()["attempts"] == 1


def test_an_import_goes_on_when_its_launcher_is_killed(machine: Machine) -> None:
    patient_import(machine)
    with machine.daemon():
        os.kill(pids_of(live_run(machine))[0], signal.SIGKILL)
        release(machine)
        eventually(lambda: machine.marker().get("status") == "done")
    assert (machine.marker()["rows"], starts(machine)) == (7, 1)


def test_a_run_of_which_nothing_is_left_is_interrupted_and_done_again(machine: Machine) -> None:
    """Contract §5.3: interrupted changes no marker, so it is no failed attempt either."""
    patient_import(machine)
    with machine.daemon():
        launcher, imported = pids_of(live_run(machine))
        os.kill(launcher, signal.SIGKILL)
        os.kill(imported, signal.SIGKILL)
        eventually(lambda: machine.events("import_interrupted"))
        assert machine.markers() == {}
        release(machine)
        eventually(lambda: machine.marker().get("status") == "done")
    assert "attempts" not in machine.marker()
    assert starts(machine) == 2


def test_sigterm_waits_for_a_live_import_and_records_its_outcome(machine: Machine) -> None:
    patient_import(machine)
    with machine.daemon() as daemon:
        run = live_run(machine)
        daemon.signal(signal.SIGTERM)
        eventually(lambda: machine.events("daemon.stopping"))
        eventually(lambda: "waiting up to 30 s for backfill:claude" in machine.stderr())
        assert daemon.process.poll() is None
        assert not is_gone(pids_of(run)[1])
        release(machine)
        assert daemon.wait() == 0
    assert machine.marker()["rows"] == 7
    assert [event["event"] for event in machine.events()][-1] == "daemon.stopped"


def test_a_second_signal_ends_the_import_and_leaves_nobody_behind(machine: Machine) -> None:
    patient_import(machine)
    with machine.daemon() as daemon:
        run = live_run(machine)
        daemon.signal(signal.SIGTERM)
        eventually(lambda: machine.events("daemon.stopping"))
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
    assert all(is_gone(pid) for pid in pids_of(run))
    assert machine.markers() == {}, "it was interrupted: no failed attempt"


def test_an_import_that_ignores_sigterm_is_killed_after_the_grace(machine: Machine) -> None:
    ignoring = "    import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    machine.import_with(ignoring + WAITS_FOR_RELEASE.format(root=str(machine.root)))
    machine.join()
    machine.environ |= {"HYP_SETTLE_S": "0.1", "HYP_GRACE_S": "0.1"}
    with machine.daemon() as daemon:
        run = live_run(machine)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
    assert all(is_gone(pid) for pid in pids_of(run))


@pytest.mark.parametrize("victim", ["import", "launcher and import", "daemon"])
def test_kill_9_in_mid_import_leaves_every_row_exactly_once(machine: Machine, victim: str) -> None:
    """With the real importer: some rows were committed when it died, and not all."""
    folder = machine.projects / "-work-project"
    folder.mkdir()
    for number in range(12):
        lines = session_lines(4000, session=f"s{number:02}")
        (folder / f"s{number:02}.jsonl").write_text("\n".join(lines))
    machine.join({"name": CLAUDE, "config": {"backfill": {"window_days": 3650}}})

    with machine.daemon() as daemon:
        runs = ProviderRuns(machine.home, "claude")
        eventually(lambda: runs.runs() and "batch_committed" in log_of(runs.runs()[0]))
        run = runs.runs()[0]
        launcher, imported = pids_of(run)
        for pid in {"import": [imported], "daemon": [daemon.process.pid]}.get(
            victim, [launcher, imported]
        ):
            os.kill(pid, signal.SIGKILL)
        if victim == "daemon":
            assert daemon.wait() == -signal.SIGKILL
            assert not is_gone(imported), "the import goes on without its daemon"
        else:
            eventually(lambda: is_gone(imported))
            assert "import_finished" not in log_of(run)
            eventually(lambda: machine.marker().get("status") == "done")
    if victim == "daemon":
        assert machine.run_once().returncode == 0

    assert machine.marker()["status"] == "done"
    assert machine.query(
        "select count(*) as rows, count(distinct part_id) as parts from ai_gateway_messages"
    ) == [{"rows": 48_000, "parts": 48_000}]


def test_a_manual_import_and_the_daemons_never_run_at_once(machine: Machine) -> None:
    folder = machine.projects / "-p"
    folder.mkdir()
    (folder / "s1.jsonl").write_text("\n".join(session_lines(4)))
    patient_import(machine)
    with machine.daemon():
        live_run(machine)
        with machine.start("backfill", "claude", "--since", "2000-01-01") as manual:
            assert manual.stderr is not None
            assert "another import" in manual.stderr.readline()
            release(machine)
            output, _ = manual.communicate(timeout=60)
        assert manual.returncode == 0
        assert "rows_written=4" in output
