"""From the events of the log to traces: a pass, the actions it began, the imports that they ran.

Nothing but the lines is needed, as ids are made from what the lines name: a daemon that starts
anew goes on with the traces of the one before.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hypactors.observability._otlp_records import Span, SpanRef, attributes, time_ns

if TYPE_CHECKING:
    from hypactors.logs import LogLine

BEGINS = ("client_action.backfill_spawn", "import_started")
"""The events that later ones refer to."""

_FAILED = {
    "client_action.done": False,
    "client_action.reversed": False,
    "client_action.failed": True,
    "client_action.refused": True,
    "client_action.reverse_failed": True,
    "import_interrupted": True,
}
"""What ends an action, and whether it failed."""
_MOST_RUNS = 256
"""Kept in mind, the newest of them; a provider has one at a time."""


@dataclass(frozen=True, slots=True)
class _Run:
    """An action under way, or over; lines about it may still come."""

    ref: SpanRef
    parent: SpanRef
    start_ns: int
    spawn: LogLine
    import_start_ns: int | None = None


class Traces:
    """Takes lines by time. ``machine`` keeps the ids of two machines apart."""

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    def take(self, line: LogLine) -> tuple[SpanRef | None, Span | None]:
        """Return the span that a line belongs to, and the one that has ended with it."""
        pass_id, run_id = line.text("pass_id"), line.text("run_id")
        match line.event:
            case "daemon.reconcile_pass" if pass_id is not None:
                span = self._pass(pass_id, line)
                return span.ref, span
            case "client_action.backfill_spawn" if pass_id is not None and run_id is not None:
                return self._begin(pass_id, run_id, line), None
        if run_id is None:
            return None, None
        run = self._runs.get(run_id)
        match line.event:
            case "import_started" if run is not None:
                self._runs[run_id] = replace(run, import_start_ns=time_ns(line.ts))
            case "import_finished" | "import_failed" if run is not None:
                span = self._import(run_id, run, line)
                return span.ref, span
            case event if event in _FAILED:
                span = self._action(run_id, run, line)
                return span.ref, span
        if run is None:
            return None, None
        return self._import_ref(run_id, run) if _is_import(line) else run.ref, None

    def _pass(self, pass_id: str, line: LogLine) -> Span:
        end_ns = time_ns(line.ts)
        began = time_ns(pass_id.removeprefix("pass-").rpartition("-")[0])
        return Span(
            name="reconcile_pass",
            ref=self._pass_ref(pass_id),
            parent=None,
            start_ns=min(began or end_ns, end_ns),
            end_ns=end_ns,
            attributes=_about(line, "pass_id", "hyp_reason", "results", "daemon_run_id"),
        )

    def _begin(self, pass_id: str, run_id: str, line: LogLine) -> SpanRef:
        parent = self._pass_ref(pass_id)
        run = _Run(self._ref(parent.trace_id, run_id), parent, time_ns(line.ts), line)
        self._runs[run_id] = run
        if len(self._runs) > _MOST_RUNS:
            self._runs.popitem(last=False)
        return run.ref

    def _action(self, run_id: str, run: _Run | None, line: LogLine) -> Span:
        end_ns = time_ns(line.ts)
        about = _about(
            line, "run_id", "kind", "request_key", "provider", "rows", "attempts", "error_kind"
        )
        if run is None:  # done within its pass, or begun too long ago: a trace of its own
            ref, parent, start_ns = self._ref(self._trace_id(run_id), run_id), None, end_ns
        else:
            ref, parent, start_ns = run.ref, run.parent, min(run.start_ns, end_ns)
            about |= _about(run.spawn, "provider", "hyp_plugin", "since", "pass_id")
        return Span(
            name=f"client_action {about.get('kind', 'backfill')}",
            ref=ref,
            parent=parent,
            start_ns=start_ns,
            end_ns=end_ns,
            attributes=about,
            failure=_failure(line) if _FAILED[line.event] else None,
        )

    def _import(self, run_id: str, run: _Run, line: LogLine) -> Span:
        end_ns = time_ns(line.ts)
        start_ns = run.start_ns if run.import_start_ns is None else run.import_start_ns
        return Span(
            name="import",
            ref=self._import_ref(run_id, run),
            parent=run.ref,
            start_ns=min(start_ns, end_ns),
            end_ns=end_ns,
            attributes=_about(line, "run_id", "provider", "items", "rows", "pid"),
            failure=_failure(line) if line.event == "import_failed" else None,
        )

    def _pass_ref(self, pass_id: str) -> SpanRef:
        return self._ref(self._trace_id(pass_id), pass_id)

    def _import_ref(self, run_id: str, run: _Run) -> SpanRef:
        return self._ref(run.ref.trace_id, f"{run_id} import")

    def _ref(self, trace_id: int, name: str) -> SpanRef:
        return SpanRef(trace_id, self._number(8, "span", name))

    def _trace_id(self, name: str) -> int:
        return self._number(16, "trace", name)

    def _number(self, size: int, *named: str) -> int:
        key = "\0".join((self._machine, *named)).encode("utf-8", "replace")
        return int.from_bytes(hashlib.blake2b(key, digest_size=size).digest()) or 1


def _is_import(line: LogLine) -> bool:
    return line.fields.get("mode") == "import"


def _failure(line: LogLine) -> str:
    detail = line.text("detail") or line.text("reason") or line.event
    return str(attributes([("detail", detail)])["detail"])


def _about(line: LogLine, *keys: str) -> dict[str, str | bool | int | float]:
    return attributes((key, line.fields.get(key)) for key in keys)
