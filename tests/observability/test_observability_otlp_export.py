"""The thread that exports: what it hands on, what it counts as lost, and that it ends."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from hypactors.clock import ManualClock
from hypactors.logs import LogLine, parse_line
from hypactors.observability import OtlpExport, OtlpTarget
from hypactors.observability import _otlp_export as module
from hypactors.observability._otlp_export import BATCH, MOST_LINES, NOT_DELIVERED, Losses
from hypactors.observability._otlp_records import Record, record_of
from tests.processes.lab import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hypactors.observability._otlp_records import Span

PASS_ID = "pass-2026-11-25T12:00:00.000Z-1"
TARGET = OtlpTarget("http://127.0.0.1:4318", logs=True, traces=True, headers_file=None)


def line(event: str, **fields: Any) -> LogLine:
    raw = {"ts": "2026-11-25T12:00:01.000Z", "level": "info", "event": event, **fields}
    parsed = parse_line(json.dumps(raw).encode())
    assert parsed is not None
    return parsed


def a_pass() -> LogLine:
    return line("daemon.reconcile_pass", pass_id=PASS_ID)


class Lines:
    """A log that the test writes."""

    def __init__(self) -> None:
        self.new: list[LogLine] = []
        self.looks = 0
        self.is_closed = False

    def look(self) -> list[LogLine]:
        found, self.new = self.new, []
        self.looks += 1
        return found

    def close(self) -> None:
        self.is_closed = True


class FakeCollector:
    """Takes what it is sent; refuses with ``fault``, and hangs while ``hangs`` is set."""

    def __init__(self) -> None:
        self.batches: list[list[Record]] = []
        self.spans: list[Span] = []
        self.fault: str | None = None
        self.answers = threading.Event()
        self.answers.set()
        self.is_asked = threading.Event()
        self.is_closed = False

    @property
    def events(self) -> list[str]:
        return [record.event for batch in self.batches for record in batch]

    def send_logs(self, records: Sequence[Record]) -> str | None:
        self.is_asked.set()
        self.answers.wait()
        if self.fault is None:
            self.batches.append(list(records))
        return self.fault

    def send_spans(self, spans: Sequence[Span]) -> str | None:
        if self.fault is None:
            self.spans.extend(spans)
        return self.fault

    def close(self) -> None:
        self.is_closed = True


class SaidEvents:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.said.append({"event": event, **fields})

    warning = error = info

    def of(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.said if each["event"] == event]


class Stage:
    def __init__(self) -> None:
        self.lines = Lines()
        self.collector = FakeCollector()
        self.log = SaidEvents()
        self.clock = ManualClock()
        self.started: list[OtlpExport] = []

    def export(self, target: OtlpTarget = TARGET, **changes: Any) -> OtlpExport:
        usual: dict[str, Any] = {
            "lines": self.lines,
            "earlier": lambda: (),
            "machine": "m",
            "clock": self.clock,
            "log": cast("Any", self.log),
            "connect": lambda _target: self.collector,
        }
        export = OtlpExport(target, **(usual | changes))
        self.started.append(export)
        export.start()
        return export

    def after_a_look(self, *lines: LogLine) -> None:
        """Return when these lines were looked at and what came of them was told."""
        self.lines.new = list(lines)
        looks = self.lines.looks
        eventually(lambda: self.lines.looks >= looks + 2)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    stage = Stage()
    yield stage
    stage.collector.answers.set()
    for export in stage.started:
        export.close()
        export._thread.join()


def test_what_is_new_is_sent_with_what_has_ended(stage: Stage) -> None:
    stage.export()
    stage.after_a_look(line("daemon.starting"), a_pass())
    assert stage.collector.events == ["daemon.starting", "daemon.reconcile_pass"]
    assert [span.name for span in stage.collector.spans] == ["reconcile_pass"]
    assert stage.collector.batches[0][1].span == stage.collector.spans[0].ref


def test_what_was_logged_last_is_sent_before_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 3600.0)
    export = stage.export()
    stage.lines.new = [line("daemon.stopped")]
    export.close()
    assert stage.collector.events == ["daemon.stopped"]
    assert stage.lines.is_closed
    assert stage.collector.is_closed
    assert stage.log.of(NOT_DELIVERED) == []


@pytest.mark.parametrize(("logs", "traces", "sent"), [(True, False, (1, 0)), (False, True, (0, 1))])
def test_only_what_is_asked_for_is_sent(
    stage: Stage, *, logs: bool, traces: bool, sent: tuple[int, int]
) -> None:
    stage.export(OtlpTarget(TARGET.endpoint, logs, traces, None))
    stage.after_a_look(a_pass())
    assert (len(stage.collector.events), len(stage.collector.spans)) == sent


def test_what_a_daemon_before_began_is_known(stage: Stage) -> None:
    began = line("client_action.backfill_spawn", run_id="r", pass_id=PASS_ID)
    stage.export(earlier=lambda: [began])
    stage.after_a_look(line("client_action.done", run_id="r", kind="backfill"))
    assert stage.collector.events == ["client_action.done"]
    assert stage.collector.spans[0].parent is not None


def test_a_refusal_is_told_once_a_minute_with_what_it_cost(stage: Stage) -> None:
    export = stage.export()
    stage.collector.fault = "401"
    stage.after_a_look(a_pass())
    stage.after_a_look(line("a"), line("b"))
    [told] = stage.log.of(NOT_DELIVERED)
    assert (told["logs"], told["spans"]) == (1, 1)
    assert "401" in told["detail"]
    assert export.trouble == told["detail"]
    stage.clock.advance(60)
    stage.after_a_look(line("c"))
    assert [(each["logs"], each["spans"]) for each in stage.log.of(NOT_DELIVERED)] == [
        (1, 1),
        (3, 0),
    ]


def test_that_something_was_lost_is_no_reason_to_tell_it_again(stage: Stage) -> None:
    stage.export()
    stage.collector.fault = "gone"
    stage.after_a_look(line("a"))
    stage.clock.advance(3600)
    stage.after_a_look(line(NOT_DELIVERED))
    assert len(stage.log.of(NOT_DELIVERED)) == 1


def test_a_collector_that_is_back_is_no_trouble_any_more(stage: Stage) -> None:
    export = stage.export()
    troubles = []
    for fault, event in (("gone", "lost"), (None, "kept")):
        stage.collector.fault = fault
        stage.after_a_look(line(event))
        troubles.append(export.trouble)
    assert troubles == ["http://127.0.0.1:4318 did not take what was last sent: gone", None]
    assert stage.collector.events == ["kept"]


def test_only_what_is_sent_can_end_the_trouble(stage: Stage) -> None:
    export = stage.export(OtlpTarget(TARGET.endpoint, logs=False, traces=True, headers_file=None))
    stage.collector.fault = "gone"
    stage.after_a_look(a_pass())
    stage.after_a_look(line("daemon.stopping"))
    assert export.trouble is not None


def test_batches_are_bounded_and_so_is_what_is_held(stage: Stage) -> None:
    stage.export()
    stage.after_a_look(*(line(f"e{number}") for number in range(MOST_LINES + 10)))
    assert {len(batch) for batch in stage.collector.batches} == {BATCH}
    assert stage.collector.events[-1] == f"e{MOST_LINES + 9}"
    [told] = stage.log.of(NOT_DELIVERED)
    assert (told["logs"], told["spans"]) == (10, 0)


def test_a_collector_that_hangs_does_not_keep_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_S", 0.01)
    export = stage.export()
    stage.collector.answers.clear()
    stage.lines.new = [line("a")]
    assert stage.collector.is_asked.wait(10)
    export.close()
    [told] = stage.log.of(NOT_DELIVERED)
    assert "in time" in told["detail"]


@pytest.mark.parametrize("place", ["connect", "earlier"])
def test_what_fails_inside_ends_the_export_and_nothing_else(stage: Stage, place: str) -> None:
    def fail(*_: object) -> Any:
        raise ImportError("cannot import name 'LogRecord'")

    changes: dict[str, Any] = {place: fail}
    export = stage.export(**changes)
    eventually(lambda: stage.lines.is_closed)
    [told] = stage.log.of("otlp_export_failed")
    assert "LogRecord" in told["detail"]
    assert export.trouble is not None
    assert "LogRecord" in export.trouble


def test_losses_are_told_at_once_and_then_once_a_minute() -> None:
    losses = Losses()
    lost = [record_of(line("a"), None)]
    assert losses.take(0.0) is None
    losses.add("logs", lost)
    assert losses.take(0.0) == {"logs": 1, "spans": 0}
    losses.add("logs", lost * 2)
    assert losses.take(59.9) is None
    assert losses.take(60.0) == {"logs": 2, "spans": 0}
    assert losses.take(1000.0) is None
