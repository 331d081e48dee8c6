"""The client action rows: what was done, what runs, what waits, what does not apply."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hypactors.actions import Marker, fault_of, read_policy, request_keys, window_days_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from hypactors.actions import ProviderFault, ProviderRef
    from hypactors.config import ConfigDocument, PluginEntry
    from hypactors.status._live import LiveImport
    from hypactors.status._report import ActionRow

BACKFILL = "backfill"
NOT_SUPPORTED = "not supported by this version"


def action_rows(
    document: ConfigDocument | None,
    *,
    is_joined: bool,
    providers: Sequence[ProviderRef],
    faults: Sequence[ProviderFault],
    markers: Mapping[str, Mapping[str, Mapping[str, Any]]],
    running: Mapping[str, LiveImport],
    waiting: Mapping[str, str],
    now: datetime,
) -> list[ActionRow] | None:
    """Return one row a unit, by kind and request key; None when there is nothing to list.

    A unit is listed because it has a marker, because it runs, or because the config names it. What
    the config says is read by the same gate as the reconciler's (``read_policy``), so that nothing
    is called pending that would never be acted on.
    """
    rows: dict[tuple[str, str], ActionRow] = {}
    if document is not None:
        # Of a plugin named twice the first entry counts, for the reconciler too.
        for entry in {entry.name: entry for entry in reversed(document.plugins)}.values():
            for key in _targets(entry, is_joined=is_joined, providers=providers):
                rows[BACKFILL, key] = _unmarked(
                    key, entry, is_joined=is_joined, providers=providers, faults=faults
                )
    rows |= {
        (kind, key): _marked(kind, key, marker)
        for kind, bucket in markers.items()
        for key, marker in bucket.items()
    }
    _say_what_is_missing(rows, markers.get(BACKFILL, {}), document, providers, now)
    for key, reason in waiting.items():
        waiter = rows.get((BACKFILL, key))
        if waiter is not None and waiter["state"] in {"pending", "failed"}:
            waiter["waits_for"] = reason
    for key, run in running.items():
        if (BACKFILL, key) not in rows or rows[BACKFILL, key]["state"] not in {"done", "refused"}:
            rows[BACKFILL, key] = _running(key, run)
    return [rows[unit] for unit in sorted(rows)] or None


def _targets(
    entry: PluginEntry, *, is_joined: bool, providers: Sequence[ProviderRef]
) -> Sequence[str]:
    """Return the request keys that an enabled plugin stands for.

    An explicit block lists the plugin anywhere; without one, only joining makes it a target.
    """
    has_block = isinstance((entry.config or {}).get(BACKFILL), dict)
    if not entry.enabled or not (has_block or is_joined):
        return ()
    keys = request_keys(providers)
    owned = [keys[provider.name] for provider in providers if provider.plugin == entry.name]
    return owned or ([entry.name] if has_block else [])


def _unmarked(
    key: str,
    entry: PluginEntry,
    *,
    is_joined: bool,
    providers: Sequence[ProviderRef],
    faults: Sequence[ProviderFault],
) -> ActionRow:
    row: ActionRow = {"kind": BACKFILL, "request_key": key, "state": "n/a"}
    is_run_here = any(provider.plugin == entry.name for provider in providers)
    fault = None if is_run_here else fault_of(entry.name, faults)
    if not read_policy(entry.config).on_join:
        return row
    if fault is not None:
        row |= {"state": "blocked", "reason": fault.reason}
    elif not is_run_here:
        row["reason"] = NOT_SUPPORTED
    elif is_joined:
        row["state"] = "pending"
    return row


def _marked(  # noqa: C901 - one field after the other
    kind: str, key: str, marker: Mapping[str, Any]
) -> ActionRow:
    """Return a marker's row. A field of the wrong type is left out."""
    row: ActionRow = {"kind": kind, "request_key": key, "state": "done"}
    match marker.get("status"):
        case "failed":
            row["state"] = "failed"
            if isinstance(reason := marker.get("reason"), str):
                row["reason"] = reason
            if isinstance(last_attempt := marker.get("last_attempt"), str):
                row["last_attempt"] = last_attempt
            if (attempts := _number(marker, "attempts")) is not None:
                row["attempts"] = attempts
            if isinstance(following := marker.get("next_attempt_at"), str):
                row["next_attempt_at"] = following
        case "refused":
            row["state"] = "refused"
            if isinstance(reason := marker.get("reason"), str):
                row["reason"] = reason
            if isinstance(at := marker.get("at"), str):
                row["at"] = at
        case _:
            if (rows := _number(marker, "rows")) is not None:
                row["rows"] = rows
            if isinstance(at := marker.get("at"), str):
                row["at"] = at
    return row


def _say_what_is_missing(
    rows: Mapping[tuple[str, str], ActionRow],
    markers: Mapping[str, Mapping[str, Any]],
    document: ConfigDocument | None,
    providers: Sequence[ProviderRef],
    now: datetime,
) -> None:
    """Add to a done row how far it reaches, when the policy's window has grown since."""
    if document is None:
        return
    entries = {entry.name: entry for entry in reversed(document.plugins)}
    keys = request_keys(providers)
    for provider in providers:
        key, entry = keys[provider.name], entries.get(provider.plugin)
        covered = Marker(markers.get(key, {})).covered
        row = rows.get((BACKFILL, key))
        if row is None or row["state"] != "done" or covered is None or entry is None:
            continue
        days = window_days_of(read_policy(entry.config).window_days, document)
        if covered.days is not None and covered.is_less_than(days, now):
            row |= {"covered_days": covered.days, "policy_days": days}


def _running(key: str, run: LiveImport) -> ActionRow:
    row: ActionRow = {
        "kind": BACKFILL,
        "request_key": key,
        "state": "running",
        "run_id": run.run_id,
        "started_at": run.started_at,
    }
    if run.pid is not None:
        row["pid"] = run.pid
    if run.progress is not None:
        row["progress"] = dict(run.progress)
    return row


def _number(marker: Mapping[str, Any], key: str) -> float | None:
    value = marker.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -math.inf < value < math.inf else None
