"""One run id goes from the pass to the commit, and ``hyp logs --run`` tells the story."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.cache._catalog import open_for_reading
from hypactors.lake import Lake
from hypactors.logs._catalogue import CATALOGUE
from tests.e2e.machine import CLAUDE, session_lines

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process

ALWAYS = {"ts", "level", "event", "pid", "mode", "daemon_run_id", "actor", "provider", "run_id"}


def test_a_run_is_told_from_the_pass_to_the_commit(machine: Machine) -> None:
    folder = machine.projects / "-work-project"
    folder.mkdir()
    (folder / "s1.jsonl").write_text("\n".join(session_lines(10)) + "\n")
    machine.join({"name": CLAUDE})
    assert machine.run_once().returncode == 0

    [spawned] = machine.events("client_action.backfill_spawn")
    told = machine.hyp("logs", "--run", spawned["run_id"], "--json")
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    names = [line["event"] for line in lines]
    story = [
        "client_action.backfill_spawn",
        "import_started",
        "batch_committed",
        "import_finished",
        "client_action.done",
    ]
    assert [name for name in names if name in story] == story
    [began] = [line for line in lines if line["event"] == "daemon.reconcile_pass"]
    assert began["pass_id"] == spawned["pass_id"]
    assert began["hyp_reason"] == "boot-already-confirmed"

    table = open_for_reading(Lake.of(machine.home))
    assert table is not None
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.summary.additional_properties["hyp.run-id"] == spawned["run_id"]
    assert machine.marker()["run_id"] == spawned["run_id"]


def test_what_a_real_daemon_logs_is_in_the_catalogue(machine: Machine) -> None:
    machine.join({"name": CLAUDE})
    assert machine.run_once().returncode == 0
    lines = [json.loads(line) for line in machine.hyp("logs", "--json").stdout.splitlines()]
    by_name = {event.name: event for event in CATALOGUE}
    assert {line["event"] for line in lines} >= {"daemon.starting", "daemon.stopped"}
    for line in lines:
        event = by_name[line["event"]]
        assert line["level"] in event.levels
        assert line.keys() - ALWAYS <= set(event.fields), line
