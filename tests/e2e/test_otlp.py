"""A real daemon exports to a collector, and is none the worse for one that is not there."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import CLAUDE, TRAP_S, eventually, session_lines
from tests.e2e.otlp_collector import OtlpReceiver, receiving, values

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process

SECRET = "Bearer canary-7f3a"


def prepare(machine: Machine, endpoint: str) -> None:
    """Give the machine an import that takes no time, and somewhere to export to."""
    machine.import_with("""print('{"providers": [{"status": "ok"}]}')""")
    machine.join({"name": CLAUDE})
    machine.environ["HYP_OTLP_ENDPOINT"] = endpoint


def run_until_arrived(machine: Machine, collector: OtlpReceiver, name: str) -> None:
    """Run the daemon until a span has arrived, and stop it."""
    with machine.daemon() as daemon:
        eventually(lambda: collector.spans_of(name), TRAP_S)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0


def test_a_backfill_arrives_as_logs_and_as_one_trace(machine: Machine) -> None:
    folder = machine.projects / "-work-project"
    folder.mkdir()
    (folder / "s1.jsonl").write_text("\n".join(session_lines(10)) + "\n")
    with receiving(OtlpReceiver()) as collector:
        machine.join({"name": CLAUDE})
        machine.environ |= {
            "HYP_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=seven",
            "HYP_IMPORT_NICE": "0",
        }
        run_until_arrived(machine, collector, "client_action backfill")

    assert {each["x-tenant"] for each in collector.headers} == {"seven"}
    [spawned] = machine.events("client_action.backfill_spawn")
    sent = values(collector.log("client_action.backfill_spawn").attributes)
    assert sent["run_id"] == spawned["run_id"]
    assert sent["pass_id"] == spawned["pass_id"]
    assert {log.event_name for log in collector.logs} >= {
        *("daemon.starting", "daemon.reconcile_pass", "daemon.stopped"),
        *("import_started", "batch_committed", "import_finished", "client_action.done"),
    }
    assert all(log.severity_text == "info" and log.time_unix_nano for log in collector.logs)
    about = collector.resources[0]
    assert about["service.name"] == "hypactors"
    assert about["service.version"]
    assert about["host.name"]

    began = collector.span("reconcile_pass")
    action, run = collector.span("client_action backfill"), collector.span("import")
    assert began.trace_id == action.trace_id == run.trace_id
    assert (began.parent_span_id, action.parent_span_id, run.parent_span_id) == (
        b"",
        began.span_id,
        action.span_id,
    )
    assert values(action.attributes)["run_id"] == spawned["run_id"]
    assert values(run.attributes)["rows"] == 10
    assert {span.status.code for span in collector.spans} == {1}
    assert collector.log("batch_committed").span_id == run.span_id
    assert collector.log("client_action.done").span_id == action.span_id
    assert collector.log("daemon.starting").trace_id == b""


def test_an_import_that_failed_is_a_span_that_failed(machine: Machine) -> None:
    with receiving(OtlpReceiver()) as collector:
        prepare(machine, collector.url)
        machine.import_with("raise SystemExit('no luck')")
        run_until_arrived(machine, collector, "client_action backfill")
    failed = collector.spans_of("client_action backfill")[0]
    assert failed.status.code == 2
    assert failed.status.message == machine.events("client_action.failed")[0]["detail"]
    assert failed.parent_span_id


def test_an_import_that_outlives_its_daemon_stays_in_its_trace(machine: Machine) -> None:
    """The first daemon exports nothing; the second one knows all the same what began it."""
    release = machine.root / "release"
    machine.import_with(f"""
        import os, time
        while not os.path.exists({str(release)!r}):
            time.sleep(0.01)
        print('{{"providers": [{{"status": "ok"}}]}}')
    """)
    machine.join()
    with machine.daemon() as killed:
        eventually(lambda: machine.events("client_action.backfill_spawn"), TRAP_S)
        killed.signal(signal.SIGKILL)
        killed.wait()
    [spawned] = machine.events("client_action.backfill_spawn")
    with receiving(OtlpReceiver()) as collector:
        machine.environ["HYP_OTLP_ENDPOINT"] = collector.url
        with machine.daemon() as daemon:
            eventually(lambda: machine.events("import_adopted"), TRAP_S)
            release.touch()
            eventually(lambda: collector.spans_of("client_action backfill"), TRAP_S)
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
    action = collector.span("client_action backfill")
    assert action.parent_span_id
    assert values(action.attributes)["pass_id"] == spawned["pass_id"]
    assert collector.log("import_adopted").span_id == action.span_id


def test_headers_reach_the_collector_and_nobody_else(machine: Machine) -> None:
    with receiving(OtlpReceiver(status=401)) as collector:
        prepare(machine, collector.url)
        file = machine.home.root / "headers"
        file.write_text(f"Authorization: {SECRET}\n")
        file.chmod(0o600)
        machine.home.settings_file.write_text('[otlp]\nheaders_file = "headers"\n')
        with machine.daemon() as daemon:
            eventually(lambda: machine.events("otlp_not_delivered"), TRAP_S)
            shown = machine.hyp("status").stdout + machine.hyp("doctor").stdout
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
    assert {each["authorization"] for each in collector.headers} == {SECRET}
    assert "did not take what was last sent" in shown
    assert "401" in shown
    holding = [
        path.relative_to(machine.home.root)
        for path in machine.home.root.rglob("*")
        if path.is_file() and b"canary-7f3a" in path.read_bytes()
    ]
    assert [str(path) for path in holding] == ["headers"]
    assert "canary-7f3a" not in shown + machine.stderr()


def test_a_collector_that_hangs_is_not_waited_for(machine: Machine) -> None:
    """The daemon imports, answers and stops as without one."""
    with receiving(OtlpReceiver(hangs=True)) as collector:
        prepare(machine, collector.url)
        with machine.daemon() as daemon:
            assert collector.is_asked.wait(TRAP_S)
            eventually(lambda: machine.marker().get("status") == "done", TRAP_S)
            assert machine.status()["daemon"]["state"] == "healthy"
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
    told = machine.events("otlp_not_delivered")[-1]
    assert "in time" in told["detail"]
    assert "Traceback" not in machine.stderr()


def test_a_collector_that_is_away_costs_nothing_but_what_is_told(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    prepare(machine, f"http://127.0.0.1:{port}")
    done = machine.run_once()
    assert done.returncode == 0
    said = done.stderr.splitlines()
    assert said
    assert all("otlp_not_delivered" in line for line in said)
    assert machine.marker()["status"] == "done"


def test_an_export_that_cannot_be_is_told_and_the_daemon_goes_on(machine: Machine) -> None:
    prepare(machine, "http://collector.example.com:4318")
    with machine.daemon() as daemon:
        eventually(lambda: machine.marker().get("status") == "done", TRAP_S)
        [row] = [row for row in machine.status()["attention"] if row["kind"] == "export_trouble"]
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
    [told] = machine.events("otlp_export_not_started")
    assert row["message"] == told["detail"]
    assert "must be https" in told["detail"]
    assert machine.events("otlp_export_started") == []
