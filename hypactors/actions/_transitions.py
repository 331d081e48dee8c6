"""Which marker follows which outcome (client-actions §2, §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypactors.actions._coverage import joined
from hypactors.actions._markers import DONE, FAILED, REFUSED, Marker, MarkerBook, asset_paths
from hypactors.clock import iso_ms
from hypactors.messages import Outcome, OutcomeStatus

if TYPE_CHECKING:
    from datetime import datetime

UNKNOWN_REASON = "unknown"

# What the rules below decide; a handler's ``detail`` adds to them and never overrules them.
_DECIDED_HERE = frozenset(
    {
        "status",
        "request_key",
        "at",
        "rows",
        "reason",
        "last_attempt",
        "attempts",
        "installed_assets",
        "prior_done",
        "run_id",
        "next_attempt_at",
    }
)


def marker_after(
    previous: Marker | None,
    request_key: str,
    outcome: Outcome,
    *,
    now: datetime,
    run_id: str | None = None,
) -> Marker:
    """Return the marker that ``outcome`` leaves in the place of ``previous``.

    The outcome of a run that ``previous`` already records leaves it as it is: a replay after a
    crash counts no attempt twice (contract §5.3).
    """
    if previous is not None and run_id is not None and previous.run_id == run_id:
        return previous
    fields = _status_fields(previous, request_key, outcome, iso_ms(now))
    if run_id is not None:
        fields["run_id"] = run_id
    span = None
    if previous is not None and previous.is_done and outcome.status is OutcomeStatus.DONE:
        span = joined(previous.fields.get("covered"), outcome.detail.get("covered"))
    fields |= {name: value for name, value in outcome.detail.items() if name not in _DECIDED_HERE}
    if span is not None and previous is not None and previous.cache_id == fields.get("cache_id"):
        # A slice that was missing: what was imported before it counts on.
        fields["covered"] = span
        fields["rows"] = (previous.rows or 0) + (outcome.rows or 0)
    assets = _assets_after(previous, outcome)
    if assets:
        fields["installed_assets"] = list(assets)
    if outcome.status is not OutcomeStatus.DONE and _was_ever_done(previous):
        fields["prior_done"] = True
    return Marker(fields)


def needs_reverse(marker: Marker) -> bool:
    """Tell whether a unit no longer wanted has to be undone, rather than just forgotten."""
    if not marker.fields:
        return False
    return marker.status not in {FAILED, REFUSED} or marker.has_applied_effect


def rearm(book: MarkerBook, kind: str, request_key: str, now: datetime) -> MarkerBook | None:
    """Return a book in which a refused unit is tried again; None when it is not refused.

    Recorded assets must outlive the refusal: such a marker becomes a failed one. Without any, it
    is dropped.
    """
    marker = book.get(kind, request_key)
    if marker is None or marker.status != REFUSED:
        return None
    if not marker.installed_assets:
        return book.without(kind, request_key)
    fields: dict[str, Any] = {
        **{name: value for name, value in marker.fields.items() if name != "at"},
        "status": FAILED,
        "reason": f"re-armed by hand; it was refused: {marker.reason or UNKNOWN_REASON}",
        "last_attempt": iso_ms(now),
        "attempts": 1,  # the one that was refused: a failed marker has at least one
    }
    return book.with_marker(kind, request_key, Marker(fields))


def _status_fields(
    previous: Marker | None, request_key: str, outcome: Outcome, now: str
) -> dict[str, Any]:
    reason = outcome.reason or UNKNOWN_REASON
    match outcome.status:
        case OutcomeStatus.DONE:
            fields: dict[str, Any] = {"status": DONE, "request_key": request_key, "at": now}
            return fields if outcome.rows is None else {**fields, "rows": outcome.rows}
        case OutcomeStatus.FAILED:
            earlier = previous.attempts if previous is not None else None
            return {
                "status": FAILED,
                "request_key": request_key,
                "reason": reason,
                "last_attempt": now,
                "attempts": max(earlier or 0, 0) + 1,
            }
        case OutcomeStatus.REFUSED:
            return {"status": REFUSED, "request_key": request_key, "reason": reason, "at": now}


def _assets_after(previous: Marker | None, outcome: Outcome) -> tuple[str, ...]:
    """Return the undo record: it grows, but for a failure that lists what is left."""
    recorded = previous.installed_assets if previous is not None else ()
    reported = outcome.detail.get("installed_assets")
    if outcome.status is OutcomeStatus.FAILED:
        return asset_paths(reported) if isinstance(reported, list | tuple) else recorded
    return tuple(dict.fromkeys((*recorded, *asset_paths(reported))))


def _was_ever_done(previous: Marker | None) -> bool:
    return previous is not None and (previous.is_done or previous.prior_done)
