"""The main job with the real program, the real launcher and the real importer."""

from __future__ import annotations

import json
import signal
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hypactors.paths import HypHome
from tests.e2e.machine import CLAUDE, TRAP_S, eventually, session_lines

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process


def write_session(machine: Machine, name: str, lines: list[str]) -> Path:
    folder = machine.projects / "-work-project"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_confirmed_machine_imports_its_history_once_and_says_so(machine: Machine) -> None:
    write_session(machine, "s1", [*session_lines(10)])
    machine.join({"name": CLAUDE, "config": {"backfill": {"window_days": 3650}}})

    first = machine.run_once()
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("\n") == 1, "one line, when it is ready"
    marker = machine.marker()
    assert (marker["status"], marker["rows"], marker["request_key"]) == ("done", 10, CLAUDE)
    assert machine.query("select count(*) as n from ai_gateway_messages") == [{"n": 10}]

    second = machine.run_once()
    assert second.returncode == 0
    assert machine.marker() == marker, "run-once stays run-once"
    assert len(machine.events("client_action.backfill_spawn")) == 1

    rows = machine.status()["client_actions"]
    assert rows == [
        {"kind": "backfill", "request_key": CLAUDE, "state": "done", "rows": 10, "at": marker["at"]}
    ]


def test_the_window_of_the_config_reaches_the_import(machine: Machine) -> None:
    write_session(machine, "new", [*session_lines(4, session="new")])
    write_session(machine, "old", [*session_lines(4, session="old", at="2019-01-01")])
    machine.join({"name": CLAUDE, "config": {"backfill": {"window_days": 1500}}})
    assert machine.run_once().returncode == 0
    assert machine.query("select distinct session_id from ai_gateway_messages") == [
        {"session_id": "new"}
    ]


def test_a_machine_that_never_joined_says_so_and_does_nothing(machine: Machine) -> None:
    answer = machine.run_once()
    assert answer.returncode == 0
    assert "never joined" in answer.stderr
    assert machine.events("client_action.backfill_spawn") == []
    assert not machine.home.marker_file.exists()


def test_an_opted_out_provider_is_not_imported(machine: Machine) -> None:
    machine.join({"name": CLAUDE, "config": {"backfill": {"on_join": "false"}}})
    assert machine.run_once().returncode == 0
    assert machine.markers() == {}
    assert machine.status()["client_actions"][0]["state"] == "n/a"


def test_under_probation_nothing_is_performed_and_once_times_out(machine: Machine) -> None:
    machine.join(probation="etag-1")
    answer = machine.run_once("--timeout", "0.5")
    assert answer.returncode == 7
    assert machine.events("daemon.reconcile_pass") == []
    assert machine.status()["client_actions"][0]["state"] == "pending"


def test_a_failing_import_is_recorded_with_its_reason_and_retried_until_it_works(
    machine: Machine,
) -> None:
    """client-actions E46: exit 1, then exit 0 with 42 rows, then no more spawns."""
    machine.import_with(f"""
        import json, pathlib, sys
        flag = pathlib.Path({str(machine.root / "tried")!r})
        if not flag.exists():
            flag.touch()
            print("starting", file=sys.stderr)
            print("hyp backfill: error: the history is on fire", file=sys.stderr)
            sys.exit(1)
        print(json.dumps({{"providers": [{{"status": "ok", "rows_written": 42}}]}}))
    """)
    machine.join()
    answer = machine.run_once()
    assert answer.returncode == 3
    failed = machine.marker()
    assert (failed["status"], failed["attempts"]) == ("failed", 1)
    assert "exited with code 1" in failed["reason"]
    assert "the history is on fire" in failed["reason"]
    assert f"not done: backfill {CLAUDE}" in answer.stderr

    assert machine.run_once().returncode == 0
    assert (machine.marker()["status"], machine.marker()["rows"]) == ("done", 42)
    assert machine.run_once().returncode == 0
    assert len(machine.events("client_action.backfill_spawn")) == 2


def test_a_running_daemon_retries_by_itself_after_the_back_off(machine: Machine) -> None:
    machine.import_with(f"""
        import pathlib, sys
        flag = pathlib.Path({str(machine.root / "tried")!r})
        sys.exit(0 if flag.exists() else flag.touch() or 1)
    """)
    machine.join()
    with machine.daemon() as daemon:
        eventually(lambda: machine.marker().get("status") == "done")
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
    assert [event["hyp_reason"] for event in machine.events("daemon.reconcile_pass")] == [
        "boot-already-confirmed",
        "retry",
    ]


def test_the_log_tells_the_story_of_a_run(machine: Machine) -> None:
    machine.import_with("print('no json at all')")
    machine.join()
    assert machine.run_once().returncode == 0
    names = [event["event"] for event in machine.events()]
    for expected in (
        "daemon.starting",
        "daemon.healthy",
        "daemon.reconcile_pass",
        "client_action.backfill_spawn",
        "client_action.done",
        "daemon.stopping",
        "daemon.stopped",
    ):
        assert names.count(expected) == 1, expected
    spawn = machine.events("client_action.backfill_spawn")[0]
    done = machine.events("client_action.done")[0]
    assert (spawn["actor"], spawn["provider"]) == ("backfill:claude", "claude")
    assert spawn["run_id"] == done["run_id"]
    assert all(
        {"ts", "level", "event", "pid", "mode", "daemon_run_id"} <= event.keys()
        for event in machine.events()
    )
    assert stat.S_IMODE(machine.home.log_file.stat().st_mode) == 0o600


def test_the_status_shows_a_running_import_its_actors_and_the_layers(machine: Machine) -> None:
    release = machine.root / "release"
    machine.import_with(f"""
        import os, pathlib, time
        while not os.path.exists({str(release)!r}):
            time.sleep(0.01)
    """)
    machine.join()
    with machine.daemon() as daemon:
        eventually(lambda: machine.status()["client_actions"][0].get("pid"))
        report = machine.status()
        row = report["client_actions"][0]
        assert (row["state"], row["request_key"]) == ("running", CLAUDE)
        assert report["source"] == "daemon"
        assert report["daemon"]["pid"] == daemon.process.pid
        assert {actor["name"]: actor["state"] for actor in report["actors"]} == {
            "marker-store": "running",
            "config-control": "running",
            "reconciler": "running",
            "central-link": "running",
            "maintenance": "running",
            "control-endpoint": "running",
            "backfill:claude": "running",
        }
        assert report["config_layers"]["central_plugins"] == [CLAUDE]
        text = machine.hyp("status").stdout
        assert "[running]" in text
        assert "backfill:claude" in text
        release.touch()
        eventually(lambda: machine.marker().get("status") == "done")


def test_without_a_daemon_the_status_reads_files_and_touches_nothing(machine: Machine) -> None:
    machine.join()
    before = sorted(machine.root.rglob("*"))
    report = machine.status()
    assert report["source"] == "files"
    assert report["actors"] is None
    assert report["client_actions"][0]["state"] == "pending"
    assert sorted(machine.root.rglob("*")) == before
    assert "not running" in machine.hyp("status").stdout


def test_a_second_daemon_on_the_same_home_is_refused(machine: Machine) -> None:
    with machine.daemon() as daemon:
        second = machine.hyp("daemon", "--actors")
        assert second.returncode == 5
        assert f"pid {daemon.process.pid}" in second.stderr
        assert "hyp daemon stop" in second.stderr
        assert daemon.process.poll() is None


def test_daemon_run_foreground_is_the_same_thing(machine: Machine) -> None:
    machine.import_with("")
    machine.join()
    answer = machine.hyp("daemon", "run", "--foreground", "--once")
    assert answer.returncode == 0
    assert answer.stdout.startswith("hyp daemon: ready pid=")
    assert machine.hyp("daemon", "run").returncode == 2


def test_daemon_alone_lists_its_subcommands(machine: Machine) -> None:
    answer = machine.hyp("daemon")
    assert answer.returncode == 0
    for subcommand in ("run", "stop", "status"):
        assert subcommand in answer.stdout
    assert not machine.home.root.exists()


def test_stop_stops_the_daemon_and_says_so(machine: Machine) -> None:
    with machine.daemon() as daemon:
        answer = machine.hyp("daemon", "stop")
        assert (answer.returncode, answer.stdout) == (0, "hyp daemon: stopped\n")
        assert daemon.wait() == 0
    assert "not running" in machine.hyp("daemon", "stop").stdout
    snapshot = json.loads(machine.home.status_file.read_text())
    assert snapshot["state"] == "stopped"
    assert not machine.home.pid_file.exists()
    assert not machine.home.control_socket.exists()


def test_a_daemon_that_hangs_is_shown_from_files_and_can_be_stopped(machine: Machine) -> None:
    machine.environ["HYP_SETTLE_S"] = "0"
    with machine.daemon() as daemon:
        daemon.signal(signal.SIGSTOP)
        text = machine.hyp("status").stdout
        assert f"pid={daemon.process.pid}" in text
        assert "(does not answer: read from files as of " in text
        stop = machine.start("daemon", "stop")
        assert stop.stderr is not None
        assert "does not answer; sent SIGTERM" in stop.stderr.readline()
        daemon.signal(signal.SIGCONT)
        assert daemon.wait() == 0
        assert stop.communicate(timeout=TRAP_S)[0] == "hyp daemon: stopped\n"


def test_sighup_reads_the_config_again_and_starts_what_it_newly_asks_for(machine: Machine) -> None:
    machine.import_with("")
    machine.join({"name": "@hypaware/otel"})
    with machine.daemon() as daemon:
        eventually(lambda: machine.events("daemon.reconcile_pass"))
        assert machine.markers() == {}
        machine.join({"name": CLAUDE})
        daemon.signal(signal.SIGHUP)
        eventually(lambda: machine.marker().get("status") == "done")


@pytest.mark.parametrize(
    ("document", "pointer"),
    [('{"version": 2, "plugins": [', ""), ('{"version": 1, "plugins": []}', "/version")],
)
def test_a_broken_central_layer_degrades_the_daemon_and_never_runs_the_local_one_alone(
    machine: Machine, document: str, pointer: str
) -> None:
    machine.join()
    machine.home.slot_file("a").write_text(document)
    machine.home.default_local_config.write_text(
        json.dumps({"version": 2, "plugins": [{"name": CLAUDE}]})
    )
    with machine.daemon():
        report = machine.status()
        assert report["daemon"]["state"] == "degraded"
        assert report["overall"] == "degraded"
        assert machine.events("client_action.backfill_spawn") == []
        problem = machine.events("config.layer_unusable")[0]["detail"]
        assert str(machine.home.slot_file("a")) in problem
        assert pointer in problem
        assert "\n" not in problem
    once = machine.run_once()
    assert once.returncode == 1
    assert str(machine.home.slot_file("a")) in once.stderr


@pytest.mark.parametrize("garbage", ["not json", "[]", '{"backfill": "x"}'])
def test_a_garbage_marker_file_is_set_aside_and_life_goes_on(
    machine: Machine, garbage: str
) -> None:
    machine.import_with("")
    machine.join()
    machine.home.marker_file.write_text(garbage)
    assert machine.run_once().returncode == 0
    assert machine.marker()["status"] == "done"
    (aside,) = machine.home.control_dir.glob("client-actions.json.corrupt-*")
    assert aside.read_text() == garbage
    assert len(machine.events("marker_file_set_aside")) == 1


def test_a_home_with_a_path_too_long_for_a_socket_works(machine: Machine, tmp_path: Path) -> None:
    machine.home = HypHome(tmp_path / "a rather long ünïcode name, " / ("x" * 90))
    machine.environ["HYP_HOME"] = str(machine.home.root)
    machine.import_with("")
    machine.join()
    with machine.daemon():
        assert machine.status()["source"] == "daemon"
        eventually(lambda: machine.marker().get("status") == "done")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's memory maps")
def test_the_daemon_never_loads_the_data_plane(machine: Machine) -> None:
    """Read from the live process's memory maps after a whole import (contract §11)."""
    write_session(machine, "s1", [*session_lines(4)])
    machine.join({"name": CLAUDE, "config": {"backfill": {"window_days": 3650}}})
    with machine.daemon() as daemon:
        eventually(lambda: machine.marker().get("status") == "done")
        machine.status()
        maps = Path(f"/proc/{daemon.process.pid}/maps").read_text()
    for library in ("pyarrow", "libarrow", "pyiceberg", "duckdb", "sqlalchemy"):
        assert library not in maps
    assert "msgspec" in maps, "the search itself works"
