"""Rows on their way to a real server, and everything that is killed on the way (central 31)."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.fleet import Central, Member, end
from tests.e2e.machine import TRAP_S
from tests.processes.lab import eventually, no_child_left

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLAUDE = {"name": "@hypaware/claude"}
LONG_S = 90.0
ROUNDS = 10

SMALL_BATCHES = """
import sys
from hypactors.forward import _chunks
_chunks.MOST_ROWS = 60
from hypactors.cli.main import main
sys.exit(main())
"""
"""The real export, with batches so small that a kill finds it between two of many."""


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Central]:
    with no_child_left(), Central(tmp_path / "server") as central:
        central.put(central.document(CLAUDE))
        yield central


@pytest.fixture
def member(central: Central, tmp_path: Path) -> Member:
    member = Member(tmp_path / "one")
    member.generate_transcripts("--megabytes", "2")
    member.join(central.url, central.token())  # held: nothing is sent yet
    daemon = member.start_daemon()
    try:
        eventually(lambda: member.marker().get("status") == "done", LONG_S, every_s=0.1)
    finally:
        assert end(daemon) == 0
    member.home.first_sync_hold_file.unlink()
    return member


def rows_of(member: Member) -> int:
    count: int = member.query("select count(*) as n from ai_gateway_messages")[0]["n"]
    return count


def start_export(member: Member) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", SMALL_BATCHES, "forward", "--json"],
        env=member.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def received(central: Central) -> int:
    return sum(row["rows_received"] for row in central.gateways())


@pytest.mark.process
def test_exports_and_servers_that_are_killed(central: Central, member: Member) -> None:
    """At the end every row is there once, whoever was killed at which instant."""
    chance = random.Random(7)  # noqa: S311 - the same instants each time, as far as time allows
    wanted = rows_of(member)
    landed = 0
    for number in range(ROUNDS):
        before = received(central)
        export = start_export(member)
        # It may end by itself on a quick machine: then the server has everything.
        eventually(lambda: received(central) > before or export.poll() is not None, every_s=0.02)  # noqa: B023
        time.sleep(chance.random() * 0.15)
        if number % 3 == 2:
            central.kill()
            assert export.wait(TRAP_S) == 1, "it says that it could not"
            central.start()
        else:
            export.kill()
        code = export.wait(TRAP_S)
        told, _ = export.communicate()
        partly = 0 < received(central) < wanted
        landed += partly and (code == -signal.SIGKILL or json.loads(told)["status"] == "failed")
    assert landed >= ROUNDS // 2, "most kills found an export under way"

    last = start_export(member)
    assert last.wait(LONG_S) == 0
    assert json.loads(last.communicate()[0])["status"] == "exported"
    assert central.counts() == (wanted, wanted)
    assert member.status()["forwarding"][0]["set_aside"] == 0


@pytest.mark.process
def test_daemons_that_are_killed_while_they_import_and_forward(
    central: Central, tmp_path: Path
) -> None:
    """contract §11: kill -9 at random instants; in the end all is there once and no etag lies."""
    chance = random.Random(11)  # noqa: S311
    member = Member(tmp_path / "two")
    member.generate_transcripts("--megabytes", "4", "--seed", "3")
    member.join(central.url, central.token(), "--no-hold")
    for _ in range(6):
        daemon = member.start_daemon()
        time.sleep(0.3 + chance.random() * 2)
        assert end(daemon, signal.SIGKILL) == -signal.SIGKILL
    daemon = member.start_daemon()
    try:
        eventually(lambda: member.marker().get("status") == "done", LONG_S, every_s=0.1)
        wanted = rows_of(member)
        assert wanted
        eventually(lambda: received(central) >= wanted, LONG_S, every_s=0.1)
        [gateway] = [row for row in central.gateways() if row["polled_at"]][-1:]
        eventually(
            lambda: (
                [row for row in central.gateways() if row["polled_at"]][-1]["state"] == "converged"
            ),
            LONG_S,
            every_s=0.1,
        )
        assert gateway["wanted_etag"] == member.status()["remote_config"]["running_etag"]
        assert central.counts() == (wanted, wanted)
    finally:
        assert end(daemon) == 0
