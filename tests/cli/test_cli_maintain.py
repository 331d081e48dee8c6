"""``hyp maintain``: which rows may go, and what is said of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.central import Identity, write_identity
from hypactors.clock import SystemClock
from hypactors.forward import Mark, Marks
from hypactors.lake import Lake, cache_id
from hypactors.processes import FileLock
from hypactors.sql import query
from tests.central.sample import jwt
from tests.e2e.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://fleet.example"
SINK = {"plugin": "@hypaware/central", "config": {"url": URL, "identity": {}}}


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Keeper(Machine):
    """A machine with a session of some days ago, another of yesterday, and a config of its own."""

    def configure(self, **document: Any) -> None:
        self.home.root.mkdir(parents=True, exist_ok=True)
        config = {"version": 2, "plugins": [{"name": "@hypaware/claude"}]}
        self.home.default_local_config.write_text(json.dumps(config | document))

    def keep(self, days: float) -> None:
        self.configure(query={"cache": {"retention": {"default_days": days}}})

    def session(self, name: str, days: float) -> None:
        path = self.projects / "p" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        line = {
            "sessionId": name,
            "uuid": name,
            "type": "user",
            "timestamp": days_ago(days),
            "message": {"role": "user", "content": name},
        }
        path.write_text(json.dumps(line) + "\n")

    def backfill(self, *words: str) -> None:
        done = self.hyp("backfill", "claude", *words)
        assert done.returncode == 0, done.stderr

    def maintain(self) -> dict[str, Any]:
        done = self.hyp("maintain", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def stored(self) -> list[str]:
        sql = "select content_text from ai_gateway_messages order by 1"
        return [text for (text,) in query(Lake.of(self.home), sql).rows]


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    keeper = Keeper(tmp_path)
    keeper.keep(30)
    keeper.session("old", 40)
    keeper.session("new", 1)
    keeper.backfill("--since=2020-01-01")
    assert keeper.stored() == ["new", "old"]
    return keeper


pytestmark = pytest.mark.process


def test_what_retention_does_not_keep_goes(keeper: Keeper) -> None:
    done = keeper.hyp("maintain")
    assert done.stdout == "1 old rows removed, 0 files merged away, 0 old files deleted\n"
    assert keeper.stored() == ["new"]
    keeper.backfill()
    assert keeper.stored() == ["new"], "the default window is what retention keeps"


def test_rows_that_went_come_back_when_more_is_to_be_kept(keeper: Keeper) -> None:
    """The checkpoints claim nothing of what retention took."""
    keeper.maintain()
    keeper.keep(60)
    keeper.backfill()
    assert keeper.stored() == ["new", "old"]
    assert keeper.maintain()["rows_removed"] == 0


KILLED_AFTER_THE_ROWS_WENT = """
import os, signal
from hypactors.cache import _maintenance
_maintenance._runs = lambda table: os.kill(os.getpid(), signal.SIGKILL)
from hypactors.cli.main import run
run(["maintain"])
"""


def test_so_they_do_when_it_was_killed_after_they_went(keeper: Keeper) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_THE_ROWS_WENT], env=keeper.environ, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert keeper.stored() == ["new"]
    keeper.keep(60)
    keeper.backfill()
    assert keeper.stored() == ["new", "old"]


@pytest.mark.parametrize("days", [0, 1e300])
def test_retention_without_an_end_keeps_all(keeper: Keeper, days: float) -> None:
    keeper.keep(days)
    assert keeper.maintain()["rows_removed"] == 0


def test_a_config_that_cannot_be_read_takes_nothing_away(keeper: Keeper) -> None:
    keeper.home.default_local_config.write_text("{")
    told = keeper.maintain()
    assert told["rows_removed"] == 0
    [reason] = told["left"]
    assert reason.startswith("no rows were removed: ")
    assert str(keeper.home.default_local_config) in reason
    assert keeper.stored() == ["new", "old"]


def test_a_machine_that_waits_for_its_first_config_takes_nothing_away(keeper: Keeper) -> None:
    keeper.join()
    keeper.home.slot_file("a").write_text("{")
    told = keeper.maintain()
    assert told["rows_removed"] == 0
    assert told["left"][0].startswith("no rows were removed: ")


def test_rows_that_a_server_has_not_got_stay(keeper: Keeper) -> None:
    keeper.configure(
        query={"cache": {"retention": {"default_days": 30}}},
        plugins=[{"name": "@hypaware/central"}],
        sinks={"central": SINK},
    )
    ends_at = int(SystemClock().now().timestamp()) + 86_400
    write_identity(keeper.home.identity_file, Identity(jwt(), ends_at, "gw-1"))
    told = keeper.maintain()
    assert (told["rows_removed"], told["rows_held_back"]) == (0, 1)
    said = keeper.hyp("maintain").stdout
    assert "1 old rows stay until they are sent\n" in said

    table = cache_id(Lake.of(keeper.home))
    assert table is not None
    marks = Marks(keeper.home, sink="central", dataset="ai_gateway_messages", fleet=f"{URL}:443")
    marks.write(table, Mark(2), SystemClock().now())
    assert keeper.maintain()["rows_removed"] == 1


def test_two_at_a_time_are_one_too_many(keeper: Keeper) -> None:
    lock = FileLock.try_take(keeper.home.maintenance_runs / "lock")
    assert lock is not None
    with lock:
        done = keeper.hyp("maintain")
    assert (done.returncode, done.stderr) == (6, "hyp maintain: it is being done already\n")


def test_without_a_cache_it_does_nothing(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    assert keeper.maintain()["rows_removed"] == 0
    assert not keeper.home.lake_dir.exists()


def test_a_damaged_catalogue_is_said_in_one_line(keeper: Keeper) -> None:
    Lake.of(keeper.home).catalog_file.write_bytes(b"no database" * 100)
    done = keeper.hyp("maintain")
    assert done.returncode == 1
    assert done.stderr.startswith("hyp maintain: ")
    assert len(done.stderr.splitlines()) == 1
