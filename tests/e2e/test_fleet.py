"""Machines, a server and an operator: the whole way, with the real programs."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psutil
import pytest

from hypactors.central.server import Store
from hypactors.clock import SystemClock
from tests.e2e.fleet import Central, Member, end
from tests.e2e.machine import session_lines
from tests.processes.lab import eventually as eventually_within
from tests.processes.lab import no_child_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CLAUDE = {"name": "@hypaware/claude"}
LONG_S = 60.0


def eventually(condition: Callable[[], object]) -> None:
    eventually_within(condition, LONG_S, every_s=0.1)


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Central]:
    with no_child_left(), Central(tmp_path / "server") as central:
        yield central


def put_unchecked(central: Central, document: bytes) -> str:
    """Serve what the upload would refuse, as a careless server might."""
    store = Store.in_folder(central.data)
    try:
        return store.put_config("team", document, SystemClock().now()).etag
    finally:
        store.close()


def holders(secret: str, *folders: Path) -> set[Path]:
    """Return the files below these folders that hold a secret."""
    return {
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    }


@pytest.mark.process
def test_a_fleet_of_two(central: Central, tmp_path: Path) -> None:
    """central 18 and 30, config-control 27 and 29: the whole way, and no secret is left lying."""
    assert central.put(central.document(CLAUDE)).returncode == 0
    token = central.token()
    members = [Member(tmp_path / name) for name in ("one", "two")]
    with ExitStack() as stack:
        for number, member in enumerate(members):
            member.generate_transcripts("--sessions", "4", "--turns", "6", "--seed", str(number))
            joined = member.join(central.url, token, "--no-hold")
            assert joined.returncode == 0, joined.stderr
            assert token not in joined.stdout + joined.stderr
            daemon = member.start_daemon()
            stack.callback(end, daemon)

        def all_are(state: str) -> bool:
            return [row["state"] for row in central.gateways()] == [state] * len(members)

        eventually(lambda: all_are("converged"))
        eventually(lambda: all(row["rows_received"] for row in central.gateways()))
        good = central.gateways()[0]["running_etag"]
        # The token is in the slot that a first config falls back to, for its owner alone.
        with_token = holders(token, tmp_path)
        assert {path.name for path in with_token} == {"config.a.json"}, "it is found where it is"
        assert [path for path in with_token if path.stat().st_mode & 0o077] == []

        # Nor in what others can see of our processes, or in what the status says.
        jwts = [json.loads(m.home.identity_file.read_bytes())["jwt"] for m in members]
        shown = [" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True)]
        shown += [json.dumps(member.status()) for member in members]
        assert any("daemon" in each for each in shown)
        assert [each for each in shown for secret in (token, *jwts) if secret in each] == []

        # One that leads nowhere passes every check, and is undone by the machines themselves.
        bad = put_unchecked(central, central.document(CLAUDE, url="http://127.0.0.1:9/"))
        eventually(lambda: all("probation_expired" in m.reasons() for m in members))
        eventually(lambda: all_are("behind"))
        assert {row["running_etag"] for row in central.gateways()} == {good}
        for member in members:
            remote = member.status()["remote_config"]
            assert (remote["bad_etag"]["etag"], remote["running_etag"]) == (bad, good)

        fixed = central.document(CLAUDE, {"name": "@hypaware/codex"})
        assert central.put(fixed).returncode == 0
        eventually(lambda: all_are("converged"))

        # Every row of both is there, once.
        wanted = sum(
            member.query("select count(*) as n from ai_gateway_messages")[0]["n"]
            for member in members
        )
        assert wanted
        eventually(lambda: sum(r["rows_received"] for r in central.gateways()) == wanted)
        assert central.counts() == (wanted, wanted)
        for member in members:
            [row] = member.status()["forwarding"]
            assert (row["status"], row["failures"], row["set_aside"]) == ("exported", 0, 0)
            assert member.status()["link"]["error"] is None
            assert member.marker()["fleet"] == central.url.rstrip("/")

    assert holders(token, tmp_path) == set()
    found: set[Path] = set()
    for member in members:
        jwt = json.loads(member.home.identity_file.read_bytes())["jwt"]
        assert holders(jwt, tmp_path) == {member.home.identity_file}
        # Nor an earlier one, nor part of one: all begin alike.
        found |= holders(jwt.split(".")[0], tmp_path)
    assert found == {member.home.identity_file for member in members}
    assert [path for path in found if path.stat().st_mode & 0o077] == []


@pytest.mark.process
def test_leave_and_come_back(central: Central, tmp_path: Path) -> None:
    """config-control 41 to 44, contract §9: rows stay; the same fleet imports nothing again."""
    central.put(central.document(CLAUDE))
    member = Member(tmp_path / "one")
    member.generate_transcripts("--sessions", "2", "--turns", "4")
    local = member.home.default_local_config
    local.parent.mkdir(parents=True, exist_ok=True)
    local.write_text('{"version": 2, "plugins": []}')
    member.join(central.url, central.token(), "--no-hold")
    daemon = member.start_daemon()
    try:
        eventually(lambda: member.marker().get("status") == "done")
        eventually(lambda: all(row["rows_received"] for row in central.gateways()))
        before = member.marker()
        rows = member.query("select count(*) as n from ai_gateway_messages")[0]["n"]

        left = member.hyp("leave")
        assert left.returncode == 0, left.stderr
        assert "has left its fleet" in left.stdout
        assert not member.home.identity_file.exists()
        assert member.status()["config_layers"] is None
        assert member.status()["link"] is None
        again = member.hyp("leave")
        assert (again.returncode, "nothing to leave" in again.stdout) == (0, True)
        assert member.marker() == before
        assert member.query("select count(*) as n from ai_gateway_messages")[0]["n"] == rows

        # Joined under the daemon that runs: it takes the seed up by itself.
        back = member.join(central.url, central.token(), "--no-hold")
        assert "the daemon that runs enrols now" in back.stdout
        eventually(lambda: len(central.gateways()) == 2)
        eventually(lambda: central.gateways()[1]["state"] == "converged")
        eventually(lambda: member.status()["forwarding"][0]["status"] == "exported")
        assert member.status()["forwarding"][0]["behind"] == 0
        confirmed_at = member.status()["convergence"]["confirmed_at"]
        assert confirmed_at is not None
        assert member.marker() == before
        assert len(member.events("client_action.backfill_spawn")) == 1
        assert local.read_text() == '{"version": 2, "plugins": []}'
    finally:
        assert end(daemon) == 0
    convergence = member.status()["convergence"]
    assert (convergence["state"], convergence["confirmed_at"]) == ("converged", confirmed_at)


@pytest.mark.process
def test_another_fleet_starts_fresh_and_gets_nothing_of_before(
    central: Central, tmp_path: Path
) -> None:
    """contract §9: until the owner lets it go."""
    central.put(central.document(CLAUDE))
    member = Member(tmp_path / "one")
    member.generate_transcripts("--sessions", "2", "--turns", "4")
    with Central(tmp_path / "other") as other:
        other.put(other.document(CLAUDE))
        member.join(central.url, central.token(), "--no-hold")
        daemon = member.start_daemon()
        try:
            eventually(lambda: any(row["rows_received"] for row in central.gateways()))
            rows = member.query("select count(*) as n from ai_gateway_messages")[0]["n"]
            joined = member.join(other.url, other.token(), "--no-hold")
            assert "superseded" in joined.stdout
            assert "stay here until you let them go" in joined.stdout
            eventually(lambda: member.marker().get("fleet") == other.url.rstrip("/"))
            eventually(lambda: member.status()["forwarding"][0]["status"] == "exported")
            assert other.gateways()[0]["rows_received"] == 0

            shown = member.hyp("sync")
            assert f"{rows} rows" in shown.stdout
            assert "nothing was sent" in shown.stdout
            assert other.gateways()[0]["rows_received"] == 0
            sent = member.hyp("sync", "--yes")
            assert f"{rows} rows sent" in sent.stdout, sent.stdout
            assert other.counts() == (rows, rows)
        finally:
            assert end(daemon) == 0


@pytest.mark.process
def test_the_first_day_is_held(central: Central, tmp_path: Path) -> None:
    """central 28, contract §9: shown, not sent, and let go by its owner."""
    central.put(central.document(CLAUDE))
    member = Member(tmp_path / "one")
    member.generate_transcripts("--sessions", "2", "--turns", "4")
    joined = member.join(central.url, central.token())
    assert "no history leaves this machine before" in joined.stdout
    daemon = member.start_daemon()
    try:
        eventually(lambda: member.marker().get("status") == "done")
        held = member.hyp("forward", "--json")
        assert (held.returncode, json.loads(held.stdout)["status"]) == (0, "held")
        assert member.status()["first_sync_hold"]["deadline_ms"]
        assert "held until" in member.hyp("status").stdout
        assert central.gateways()[0]["rows_received"] == 0
        assert member.hyp("sync", "--yes").returncode == 0
        assert member.status()["first_sync_hold"] is None
        rows = member.query("select count(*) as n from ai_gateway_messages")[0]["n"]
        assert central.counts() == (rows, rows)
    finally:
        assert end(daemon) == 0


@pytest.mark.process
def test_a_token_that_is_revoked(central: Central, tmp_path: Path) -> None:
    """Config and rows stop, the status says why, nothing is lost, and a new join mends it."""
    central.put(central.document(CLAUDE))
    member = Member(tmp_path / "one")
    member.generate_transcripts("--sessions", "2", "--turns", "4")
    member.join(central.url, central.token(), "--no-hold")
    daemon = member.start_daemon()
    try:
        eventually(lambda: any(row["rows_received"] for row in central.gateways()))
        [line] = central.admin("token", "list").stdout.splitlines()
        assert "valid" in line
        assert central.admin("token", "revoke", line.split()[0]).returncode == 0
        assert "revoked" in central.admin("token", "list").stdout
        eventually(lambda: "revoked" in (member.status()["link"]["error"] or ""))
        assert "revoked" in member.hyp("status").stdout

        member.projects.joinpath("p").mkdir()
        member.projects.joinpath("p", "s9.jsonl").write_text(
            "\n".join(session_lines(6, session="s9")) + "\n"
        )
        assert member.hyp("backfill", "claude").returncode == 0
        refused = member.hyp("forward")
        assert refused.returncode == 1
        assert "revoked" in refused.stdout
        assert "Traceback" not in refused.stdout + refused.stderr

        member.join(central.url, central.token(), "--no-hold")
        wanted = member.query("select count(*) as n from ai_gateway_messages")[0]["n"]
        eventually(lambda: central.counts() == (wanted, wanted))
    finally:
        assert end(daemon) == 0


@pytest.mark.process
def test_a_server_that_comes_late(central: Central, tmp_path: Path) -> None:
    """Down when the machine joins and starts: the daemon enrols when it can."""
    central.put(central.document(CLAUDE))
    token = central.token()
    central.stop()
    member = Member(tmp_path / "one")
    assert member.join(central.url, token, "--no-hold").returncode == 0
    daemon = member.start_daemon()
    try:
        eventually(lambda: member.status()["link"]["failures"] > 0)
        assert "failed to reach" in member.status()["link"]["error"]
        assert "failed to reach" in member.hyp("status").stdout
        central.start()
        # The first wait of the ladder is half a minute; a person who joins again need not wait.
        member.join(central.url, token, "--no-hold")
        eventually(lambda: [row["state"] for row in central.gateways()] == ["converged"])
    finally:
        assert end(daemon) == 0
