"""From lines of the log to spans: a pass, the actions that it began, and their imports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.logs import LogLine, parse_line
from hypactors.observability._otlp_records import time_ns
from hypactors.observability._otlp_traces import Traces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypactors.observability._otlp_records import Span, SpanRef

PASS = "pass-2026-11-25T12:00:00.000Z-1"
RUN = "20261125T120001Z-a1b2c3"


def at(second: int) -> str:
    return f"2026-11-25T12:00:{second:02d}.000Z"


def line(second: int, event: str, **fields: Any) -> LogLine:
    raw = {"ts": at(second), "level": "info", "event": event, "mode": "foreground", **fields}
    parsed = parse_line(json.dumps(raw).encode())
    assert parsed is not None
    return parsed


def spawned(second: int = 2, run_id: str = RUN, pass_id: str = PASS) -> LogLine:
    return line(
        second,
        "client_action.backfill_spawn",
        provider="claude",
        hyp_plugin="@hypaware/claude",
        run_id=run_id,
        pass_id=pass_id,
    )


def imported(second: int, event: str, **fields: Any) -> LogLine:
    return line(second, event, **{"mode": "import", "provider": "claude", "run_id": RUN, **fields})


def ended(second: int, what: str, **fields: Any) -> LogLine:
    return line(second, f"client_action.{what}", **{"kind": "backfill", "run_id": RUN, **fields})


STORY = (
    line(1, "daemon.reconcile_pass", hyp_reason="confirmed", results=1, pass_id=PASS),
    spawned(2),
    imported(3, "import_started"),
    imported(4, "batch_committed", rows=10),
    imported(5, "import_finished", items=1, rows=10),
    ended(6, "done", request_key="@hypaware/claude", rows=10),
)


def told(
    lines: Iterable[LogLine], traces: Traces | None = None
) -> tuple[list[SpanRef | None], dict[str, Span]]:
    traces = traces or Traces("m")
    taken = [traces.take(each) for each in lines]
    return [ref for ref, _ in taken], {span.name: span for _, span in taken if span is not None}


def test_a_backfill_is_one_trace_of_three_spans() -> None:
    refs, spans = told(STORY)
    began, action, run = (
        spans[name] for name in ("reconcile_pass", "client_action backfill", "import")
    )
    assert len(spans) == 3
    assert {span.ref.trace_id for span in spans.values()} == {began.ref.trace_id}
    assert (began.parent, action.parent, run.parent) == (None, began.ref, action.ref)
    assert refs == [began.ref, action.ref, run.ref, run.ref, run.ref, action.ref]
    assert all(span.failure is None for span in spans.values())


def test_spans_begin_and_end_when_it_was_logged() -> None:
    """A pass says when it began by its id."""
    _, spans = told(STORY)
    times = {name: (span.start_ns, span.end_ns) for name, span in spans.items()}
    assert times == {
        "reconcile_pass": (time_ns(at(0)), time_ns(at(1))),
        "import": (time_ns(at(3)), time_ns(at(5))),
        "client_action backfill": (time_ns(at(2)), time_ns(at(6))),
    }


def test_a_span_says_what_it_was_about() -> None:
    _, spans = told(STORY)
    assert spans["reconcile_pass"].attributes == {
        "pass_id": PASS,
        "hyp_reason": "confirmed",
        "results": 1,
    }
    assert spans["client_action backfill"].attributes == {
        "run_id": RUN,
        "kind": "backfill",
        "request_key": "@hypaware/claude",
        "rows": 10,
        "provider": "claude",
        "hyp_plugin": "@hypaware/claude",
        "pass_id": PASS,
    }
    assert spans["import"].attributes["rows"] == 10


@pytest.mark.parametrize(
    ("last", "failure"),
    [
        (ended(6, "failed", detail="no room"), "no room"),
        (ended(6, "refused", detail="unknown"), "unknown"),
        (line(6, "import_interrupted", run_id=RUN), "import_interrupted"),
        (ended(6, "done"), None),
    ],
)
def test_the_outcome_is_the_status_of_the_action(last: LogLine, failure: str | None) -> None:
    _, spans = told([*STORY[:4], last])
    assert spans["client_action backfill"].failure == failure


def test_an_import_that_failed_says_why() -> None:
    _, spans = told([*STORY[:4], imported(5, "import_failed", reason="memory limit")])
    assert spans["import"].failure == "memory limit"


def test_what_never_ran_in_a_runner_has_a_trace_of_its_own() -> None:
    _, spans = told([STORY[0], ended(3, "refused", run_id="2026-1", detail="no such plugin")])
    action = spans["client_action backfill"]
    assert action.parent is None
    assert action.start_ns == action.end_ns == time_ns(at(3))
    assert action.ref.trace_id != spans["reconcile_pass"].ref.trace_id


def test_a_later_daemon_goes_on_with_the_trace() -> None:
    """It reads again what began, and ids are made of what lines name."""
    _, whole = told(STORY)
    later = Traces("m")
    told(STORY[1:3], later)
    _, rest = told(STORY[4:], later)
    assert rest["client_action backfill"] == whole["client_action backfill"]
    assert rest["import"] == whole["import"]


def test_two_machines_never_share_a_trace() -> None:
    one, other = (told(STORY, Traces(name))[1] for name in ("m", "n"))
    assert {span.ref.trace_id for span in one.values()}.isdisjoint(
        span.ref.trace_id for span in other.values()
    )


def test_lines_of_no_pass_and_no_action_are_in_no_trace() -> None:
    refs, spans = told(
        [
            line(1, "daemon.healthy"),
            line(2, "central.forward.finished", run_id="export-1"),
            line(3, "import_started", run_id="unheard-of", provider="claude"),
        ]
    )
    assert refs == [None, None, None]
    assert spans == {}


def test_old_runs_are_forgotten() -> None:
    traces = Traces("m")
    told([spawned(1, f"run-{number}") for number in range(1000)], traces)
    assert len(traces._runs) == 256
    assert traces.take(line(2, "import_over_limit", run_id="run-0")) == (None, None)
    assert traces.take(line(2, "import_over_limit", run_id="run-999"))[0] is not None


EVENTS = st.sampled_from(
    [
        "daemon.reconcile_pass",
        "client_action.backfill_spawn",
        "client_action.done",
        "client_action.failed",
        "import_started",
        "import_finished",
        "import_interrupted",
    ]
)
IDS = st.none() | st.sampled_from(["", PASS, RUN, "pass-", "\udc80"]) | st.integers()


@given(st.lists(st.tuples(st.integers(0, 59), EVENTS, IDS, IDS)))
def test_whatever_is_logged_no_span_ends_before_it_began(
    lines: list[tuple[int, str, object, object]],
) -> None:
    traces = Traces("m")
    for second, event, pass_id, run_id in lines:
        ref, span = traces.take(line(second, event, pass_id=pass_id, run_id=run_id))
        if span is not None:
            assert span.ref == ref
            assert 0 <= span.start_ns <= span.end_ns
            assert 0 < span.ref.trace_id < 2**128
            assert 0 < span.ref.span_id < 2**64
