"""``hyp metrics``: the report of a daemon as Prometheus reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from hypactors.cli import metrics
from hypactors.cli._metric_families import exposition
from tests.e2e.machine import CLAUDE, Machine, session_lines

if TYPE_CHECKING:
    from pathlib import Path

REPORT = {
    "overall": "healthy",
    "actors": [{"name": "marker-store", "state": "running", "restarts": 2}],
    "client_actions": [
        {"kind": "backfill", "request_key": '@x/"odd"\n', "state": "done", "rows": 12},
        {
            "kind": "backfill", "request_key": "@x/b", "state": "running",
            "progress": {"bytes_done": 5, "bytes_total": 10},
        },
    ],
    "remote_config": {
        "probation": None,
        "last_rollback": {"at": "2026-11-25T00:00:00.000Z", "etag": "e", "reason": "r"},
    },
    "diagnostics": [{"severity": "warning"}],
    "link": {"succeeded_at": "2026-11-25T00:00:10.000Z", "failures": 3},
    "forwarding": [
        {"sink": "central", "rows": 7, "behind": 2, "held": 5, "set_aside": 1, "failures": 0},
        {"sink": "other", "behind": None, "held": None},
    ],
    "cache": {"size_bytes": 99},
}  # fmt: skip


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_report_is_told_in_numbers() -> None:
    process = {"rss_bytes": 1, "threads": 2, "cpu_s": 0.5}
    told = samples(exposition({"report": REPORT, "process": process}))
    assert told["hyp_up", ()] == told["hyp_healthy", ()] == 1
    assert told["hyp_process_cpu_seconds_total", ()] == 0.5
    assert told["hyp_actor_restarts_total", ("marker-store",)] == 2
    assert told["hyp_action_state", ("backfill", '@x/"odd"\n', "done")] == 1
    assert told["hyp_action_state", ("backfill", '@x/"odd"\n', "failed")] == 0
    assert told["hyp_action_rows", ("backfill", '@x/"odd"\n')] == 12
    assert told["hyp_import_bytes_done", ("backfill", "@x/b")] == 5
    assert told["hyp_config_on_trial", ()] == 0
    assert told["hyp_config_last_rollback_timestamp_seconds", ()] == 1_795_564_800
    assert told["hyp_poll_success_timestamp_seconds", ()] == 1_795_564_810
    assert told["hyp_poll_failures", ()] == 3
    assert told["hyp_forward_rows", ("central",)] == 7
    assert told["hyp_forward_behind_rows", ("central",)] == 2
    assert told["hyp_forward_held_rows", ("central",)] == 5
    assert ("hyp_forward_behind_rows", ("other",)) not in told, "unknown is not zero"
    assert told["hyp_diagnostics", ("warning",)] == 1
    assert told["hyp_cache_bytes", ()] == 99


@settings(max_examples=60, derandomize=True)
@given(
    key=st.sampled_from(sorted(REPORT)),
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ),
)
def test_a_daemon_of_another_version_is_told_as_far_as_it_goes(key: str, value: Any) -> None:
    text = exposition({"report": {**REPORT, key: value}})
    assert samples(text)["hyp_up", ()] == 1


def test_without_a_daemon_it_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert metrics.main([], {"HYP_HOME": str(tmp_path)}) == 4
    captured = capsys.readouterr()
    assert samples(captured.out) == {("hyp_up", ()): 0}
    assert captured.err.startswith("hyp metrics: no daemon runs here")


@pytest.mark.process
def test_a_live_daemon_tells_its_metrics(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    folder = machine.projects / "-work"
    folder.mkdir()
    (folder / "s1.jsonl").write_text("\n".join(session_lines(10)) + "\n")
    machine.join({"name": CLAUDE})
    assert machine.run_once().returncode == 0
    with machine.daemon():
        done = machine.hyp("metrics")
    assert (done.returncode, done.stderr) == (0, "")
    told = samples(done.stdout)
    assert told["hyp_action_rows", ("backfill", CLAUDE)] == 10
    assert told["hyp_actor_up", ("marker-store",)] == 1
    assert told["hyp_process_resident_bytes", ()] > 1_000_000
