"""The report of a daemon as Prometheus sees it. Nothing in it is taken for granted."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from hypactors.status import object_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

_STATES = ("done", "failed", "refused", "running", "pending", "blocked", "n/a")


def exposition(answer: Mapping[str, Any] | None) -> str:
    """Return the text that a scraper reads; of a daemon that does not answer, that it is down."""
    registry = CollectorRegistry()
    registry.register(_Answer(answer))
    return generate_latest(registry).decode()


class _Answer:
    def __init__(self, answer: Mapping[str, Any] | None) -> None:
        self._answer = answer

    def collect(self) -> Iterator[Metric]:
        answer = self._answer
        yield _gauge("hyp_up", "Whether the daemon answers.", int(answer is not None))
        if answer is None:
            return
        report = object_of(answer, "report")
        yield from _process(object_of(answer, "process"))
        yield _gauge(
            "hyp_healthy",
            "Whether hyp status says healthy.",
            int(report.get("overall") == "healthy"),
        )
        yield from _actors(report)
        yield from _actions(report)
        yield from _config(report)
        yield from _link(object_of(report, "link"))
        yield from _forwarding(report)
        cache = object_of(report, "cache")
        yield _gauge("hyp_cache_bytes", "Size of the local cache.", cache.get("size_bytes"))


def _process(process: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauge("hyp_process_resident_bytes", "Memory of the daemon.", process.get("rss_bytes"))
    yield _gauge("hyp_process_threads", "Threads of the daemon.", process.get("threads"))
    cpu = CounterMetricFamily("hyp_process_cpu_seconds", "Processor time of the daemon.")
    _add(cpu, [], process.get("cpu_s"))
    yield cpu


def _actors(report: Mapping[str, Any]) -> Iterator[Metric]:
    restarts = CounterMetricFamily(
        "hyp_actor_restarts", "How often an actor was started anew.", labels=["actor"]
    )
    alive = GaugeMetricFamily("hyp_actor_up", "Whether an actor runs.", labels=["actor"])
    for actor in rows_of(report, "actors"):
        name = [_label(actor.get("name"))]
        _add(restarts, name, actor.get("restarts"))
        alive.add_metric(name, int(actor.get("state") == "running"))
    yield from (restarts, alive)


def _actions(report: Mapping[str, Any]) -> Iterator[Metric]:
    labels = ["kind", "request_key"]
    state = GaugeMetricFamily(
        "hyp_action_state", "1 for the state that an action is in.", labels=[*labels, "state"]
    )
    rows = GaugeMetricFamily("hyp_action_rows", "Rows that an action brought.", labels=labels)
    attempts = GaugeMetricFamily("hyp_action_attempts", "Attempts that failed.", labels=labels)
    done = GaugeMetricFamily("hyp_import_bytes_done", "Bytes that an import read.", labels=labels)
    total = GaugeMetricFamily("hyp_import_bytes", "Bytes that an import reads.", labels=labels)
    for action in rows_of(report, "client_actions"):
        unit = [_label(action.get(label)) for label in labels]
        for name in _STATES:
            state.add_metric([*unit, name], int(action.get("state") == name))
        _add(rows, unit, action.get("rows"))
        _add(attempts, unit, action.get("attempts"))
        progress = object_of(action, "progress")
        _add(done, unit, progress.get("bytes_done"))
        _add(total, unit, progress.get("bytes_total"))
    yield from (state, rows, attempts, done, total)


def _config(report: Mapping[str, Any]) -> Iterator[Metric]:
    remote = object_of(report, "remote_config")
    yield _gauge(
        "hyp_config_on_trial",
        "Whether a config is on trial.",
        int(isinstance(remote.get("probation"), dict)),
    )
    rollback = object_of(remote, "last_rollback")
    yield _gauge(
        "hyp_config_last_rollback_timestamp_seconds",
        "When a config was last taken back.",
        _seconds(rollback.get("at")),
    )
    problems = GaugeMetricFamily(
        "hyp_diagnostics", "What hyp status finds wrong.", labels=["severity"]
    )
    rows = rows_of(report, "diagnostics")
    for severity in ("error", "warning"):
        count = sum(row.get("severity") == severity for row in rows)
        problems.add_metric([severity], count)
    yield problems


def _link(link: Mapping[str, Any]) -> Iterator[Metric]:
    if not link:
        return
    yield _gauge(
        "hyp_poll_success_timestamp_seconds",
        "When the server was last polled with success.",
        _seconds(link.get("succeeded_at")),
    )
    yield _gauge("hyp_poll_failures", "Polls that failed since then.", link.get("failures"))


def _forwarding(report: Mapping[str, Any]) -> Iterator[Metric]:
    names = {
        "rows": ("hyp_forward_rows", "Rows that a sink has taken."),
        "set_aside": ("hyp_forward_set_aside_rows", "Rows that a server refused."),
        "failures": ("hyp_forward_failures", "Exports that failed since the last good one."),
        "behind": ("hyp_forward_behind_rows", "Rows that a sink has yet to be sent."),
        "held": ("hyp_forward_held_rows", "Rows that may not be sent yet."),
    }
    for key, (name, told) in names.items():
        family = GaugeMetricFamily(name, told, labels=["sink"])
        for row in rows_of(report, "forwarding"):
            _add(family, [_label(row.get("sink"))], row.get(key))
        yield family


def _gauge(name: str, told: str, value: object) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told)
    _add(family, [], value)
    return family


def _add(family: GaugeMetricFamily | CounterMetricFamily, labels: list[str], value: object) -> None:
    """Add a number; what is none, or is beyond what the format can hold, is not there."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            family.add_metric(labels, float(value))


def _label(value: object) -> str:
    """Return a value as text that can be written as UTF-8: half a surrogate pair cannot."""
    return str(value).encode(errors="replace").decode()


def _seconds(moment: object) -> float | None:
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except (ValueError, OverflowError):
        return None
