"""``hyp forward`` and ``hyp sync``: the real program against a server that misbehaves."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cache import MessageWriter
from hypactors.central import Identity, write_identity
from hypactors.clock import SystemClock
from hypactors.forward import read_sink_status, write_first_sync_hold
from hypactors.forward._hold import local_now
from hypactors.lake import Lake
from hypactors.processes import FileLock
from hypactors.providers import Exchange, Message, expand
from tests.central.sample import jwt
from tests.central.scripted import Peer, Request, ScriptedServer, replies
from tests.e2e.machine import HYP, TRAP_S, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hypactors.providers import Row


def rows(*names: str) -> list[Row]:
    exchange = Exchange(
        provider="anthropic",
        session_id="s",
        client_name="claude",
        source_path="/",
        native_id="s",
        cwd="/home/sam/project",
        messages=[Message(role="user", content=name, message_id=name) for name in names],
    )
    return list(expand(exchange, now_ms=0))


class Sender(Machine):
    """A machine with rows, an identity, and a server that is told what to answer."""

    def __init__(self, root: Path, server: ScriptedServer) -> None:
        super().__init__(root)
        self.server = server
        plugin = "@hypaware/central"
        sink = {"plugin": plugin, "config": {"url": server.url, "identity": {}}}
        document = {"version": 2, "plugins": [{"name": plugin}], "sinks": {"central": sink}}
        self.home.root.mkdir(parents=True)
        self.home.default_local_config.write_text(json.dumps(document))
        ends_at = int(SystemClock().now().timestamp()) + 10 * 86_400
        write_identity(self.home.identity_file, Identity(jwt(), ends_at, "gw-1"))
        self.add("a", "b", "c")

    def add(self, *names: str) -> None:
        MessageWriter(Lake.of(self.home), run_id="r").commit(rows(*names))

    def forward(self, code: int) -> dict[str, Any]:
        done = self.hyp("forward", "--json")
        assert done.returncode == code, (done.stdout, done.stderr)
        assert done.stderr == ""
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def failures(self) -> int:
        status = read_sink_status(self.home, "central")
        assert status is not None
        return status.failures

    def outbox(self) -> list[Path]:
        return list((self.home.sink_dir("central") / "outbox").glob("*"))

    def sent(self) -> list[str]:
        """Return the messages of every batch that came, in the order in which they came."""
        bodies = [request.body for request in self.server.requests if "ingest" in request.path]
        return [json.loads(line)["message_id"] for body in bodies for line in body.splitlines()]


def store(_request: Request, peer: Peer) -> None:
    peer.send(202)


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    with ScriptedServer(store) as server:
        yield Sender(tmp_path, server)


@pytest.mark.process
def test_what_is_new_goes_once(sender: Sender) -> None:
    """central 19 and 23."""
    told = sender.forward(0)
    assert (told["status"], told["rows"], told["batches"]) == ("exported", 3, 1)
    [request] = sender.server.requests
    assert (request.path, request.jwt) == ("/v1/ingest/proxy", jwt())
    assert request.headers["content-type"] == "application/x-ndjson"
    assert len(request.headers["x-hyp-batch-id"]) == 32
    assert sender.forward(0)["rows"] == 0
    sender.add("d")
    assert "(3 rows sent, 1 behind, at " in sender.hyp("status").stdout
    assert sender.hyp("forward").stdout.startswith("1 rows sent")
    assert sender.sent() == ["a", "b", "c", "d"]


@pytest.mark.process
def test_a_failure_is_noted_and_made_good(sender: Sender) -> None:
    """central 29: a note in the outbox, a count, and the same batch the next time."""
    sender.server.answer = replies(
        lambda _, peer: peer.send_json({"error": "on fire"}, 500),
        lambda _, peer: peer.close(),
        store,
    )
    assert "500 on fire" in sender.forward(1)["error"]
    assert (sender.failures(), len(sender.outbox())) == (1, 1)
    assert "failed to reach" in sender.forward(1)["error"]
    assert (sender.failures(), len(sender.outbox())) == (2, 2)
    assert sender.forward(0)["rows"] == 3
    assert sender.failures() == 0
    ids = {request.headers["x-hyp-batch-id"] for request in sender.server.requests}
    assert len(ids) == 1


@pytest.mark.process
def test_a_poison_row_is_set_aside(sender: Sender) -> None:
    """contract §1: and what follows goes on, and the status says so."""

    def choosy(request: Request, peer: Peer) -> None:
        is_bad = b'"message_id":"b"' in request.body
        peer.send_json({"error": "line 1: no"}, 422) if is_bad else peer.send(202)

    sender.server.answer = choosy
    told = sender.forward(0)
    assert (told["rows"], told["set_aside"]) == (2, 1)
    [path] = sender.outbox()
    assert path.stat().st_mode & 0o777 == 0o600
    assert b'"message_id":"b"' in path.read_bytes()
    assert "1 refused by the server and set aside" in sender.hyp("status").stdout


@pytest.mark.process
def test_a_wait_ends_when_it_is_told_to(sender: Sender) -> None:
    """central 2 and 22: promptly, and nothing counts as failed."""
    sender.server.answer = lambda _, peer: peer.send(429, retry_after="200")
    process = subprocess.Popen(
        [*HYP, "forward", "--json"], env=sender.environ, stdout=subprocess.PIPE, text=True
    )
    sender.server.wait_for(1)
    time.sleep(0.2)  # it may not have come to its wait yet: a stop before that counts as well
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=TRAP_S)
    assert time.monotonic() - began < 10
    assert process.returncode == 0
    assert json.loads(output)["stopped"] is True
    assert sender.failures() == 0
    sender.server.answer = store
    assert sender.forward(0)["rows"] == 3


@pytest.mark.process
def test_a_run_tells_what_it_did(sender: Sender, tmp_path: Path) -> None:
    """central 22, contract §10: each batch, each wait, and what went wrong, in the run's folder."""
    sender.server.answer = replies(
        lambda _, peer: peer.send(503, retry_after="1"),
        store,
        lambda _, peer: peer.send(500),
    )
    run = {"HYP_RUN_DIR": str(tmp_path), "HYP_RUN_ID": "r-7"}
    assert sender.hyp("forward", **run).returncode == 0
    sender.add("d")
    assert sender.hyp("forward", **run).returncode == 1
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["event"].removeprefix("central.forward.") for line in lines] == [
        "backpressure",
        "chunk",
        "failed",
    ]
    assert {(line["mode"], line["run_id"]) for line in lines} == {("export", "r-7")}
    assert (lines[0]["retry_after_seconds"], lines[1]["rows_so_far"]) == (1, 3)


@pytest.mark.process
def test_a_redirect_is_not_followed(sender: Sender) -> None:
    with ScriptedServer(store) as other:
        sender.server.answer = lambda _, peer: peer.send(307, location=other.url)
        assert "307" in sender.forward(1)["error"]
        assert other.requests == []


@pytest.mark.process
def test_one_at_a_time(sender: Sender) -> None:
    """contract §4: busy is 6."""
    lock = FileLock.try_take(sender.home.sink_runs("central") / "lock")
    assert lock is not None
    with lock:
        for command in (("forward",), ("sync", "--yes")):
            busy = sender.hyp(*command)
            assert busy.returncode == 6, busy
    assert sender.server.requests == []


@pytest.mark.process
def test_a_list_that_cannot_be_read_lets_nothing_go(sender: Sender) -> None:
    """central 25."""
    sender.home.usage_policy_dir.mkdir(parents=True)
    sender.home.local_only_file.write_text("{")
    assert "local-only.json" in sender.forward(1)["error"]
    assert sender.server.requests == []
    sender.home.local_only_file.write_text('{"version": 1, "dirs": ["/home/sam"]}')
    told = sender.forward(0)
    assert (told["rows"], told["withheld"]) == (0, 3)
    assert sender.server.requests == []


@pytest.mark.process
def test_sync_shows_before_it_sends(sender: Sender) -> None:
    """contract §9: it asks, and only a yes lets rows go."""
    write_first_sync_hold(sender.home, local_now(), pid=1)
    shown = sender.hyp("sync")
    assert shown.returncode == 0
    for text in (
        "3 rows",
        "claude",
        "/home/sam/project",
        "held until",
        "say --yes",
        "nothing was sent",
    ):
        assert text in shown.stdout
    assert sender.server.requests == []
    assert sender.hyp("sync", "--yes").stdout.endswith("s\n")
    assert sender.sent() == ["a", "b", "c"]
    assert "nothing new" in sender.hyp("sync").stdout


@pytest.mark.process
@pytest.mark.parametrize(
    ("argv", "said"),
    [(("forward", "other"), "no central sink other"), (("sync", "x", "y"), "unrecognized")],
)
def test_a_command_line_that_is_wrong(sender: Sender, argv: tuple[str, ...], said: str) -> None:
    done = sender.hyp(*argv)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.process
def test_a_cache_that_cannot_be_read_is_said_in_a_line(sender: Sender) -> None:
    (sender.home.lake_dir / "catalog.db").write_bytes(b"no database at all" * 100)
    assert "the cache cannot be read: " in sender.forward(1)["error"]
    done = sender.hyp("sync")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hyp sync: the cache cannot be read: ")
    assert done.stderr.count("\n") == 1
    assert "how many wait is unknown" in sender.hyp("status").stdout


@pytest.mark.process
def test_a_machine_that_is_not_enrolled(sender: Sender) -> None:
    sender.home.identity_file.unlink()
    assert "not enrolled" in sender.forward(1)["error"]
    with contextlib.suppress(FileNotFoundError):
        sender.home.default_local_config.unlink()
    done = sender.hyp("forward")
    assert (done.returncode, "has not joined" in done.stderr) == (1, True)
