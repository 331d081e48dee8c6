"""Which marker follows which outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hypactors.actions import Marker, MarkerBook, marker_after, needs_reverse, rearm
from hypactors.messages import Outcome, OutcomeStatus

NOW = datetime(2026, 6, 25, tzinfo=UTC)
ISO = "2026-06-25T00:00:00.000Z"
STATUSES = list(OutcomeStatus)


def after(
    previous: dict[str, Any] | None,
    status: OutcomeStatus,
    *,
    rows: int | None = None,
    reason: str | None = None,
    **detail: Any,
) -> dict[str, Any]:
    marker = None if previous is None else Marker(previous)
    outcome = Outcome(status, rows, reason, detail)
    return dict(marker_after(marker, "key", outcome, now=NOW).fields)


def test_each_status_has_its_own_fields() -> None:
    """client-actions §3: the table."""
    assert after(None, OutcomeStatus.DONE, rows=0, reason="ignored") == {
        "status": "done",
        "request_key": "key",
        "at": ISO,
        "rows": 0,
    }
    assert after(None, OutcomeStatus.FAILED, rows=5) == {
        "status": "failed",
        "request_key": "key",
        "reason": "unknown",
        "last_attempt": ISO,
        "attempts": 1,
    }
    assert after({"attempts": 4}, OutcomeStatus.REFUSED, rows=5, reason="") == {
        "status": "refused",
        "request_key": "key",
        "reason": "unknown",
        "at": ISO,
    }


@pytest.mark.parametrize("status", STATUSES)
def test_detail_is_merged_and_overrules_nothing(status: OutcomeStatus) -> None:
    plain = after(None, status, reason="r")
    names = "status request_key at rows reason last_attempt attempts prior_done run_id"
    overruling = dict.fromkeys([*names.split(), "next_attempt_at"], "mine")
    outcome = Outcome(status, reason="r", detail={**overruling, "endpoint": "http://x"})
    fields = marker_after(None, "key", outcome, now=NOW).fields
    assert fields == {**plain, "endpoint": "http://x"}


@pytest.mark.parametrize("previous", [None, {"status": "done"}, {"attempts": "many"}])
def test_attempts_start_at_one(previous: dict[str, Any] | None) -> None:
    """client-actions §10: also again after done."""
    assert after(previous, OutcomeStatus.FAILED)["attempts"] == 1


@pytest.mark.parametrize(
    ("status", "reported", "left"),
    [
        (OutcomeStatus.DONE, ["/b", "/c", 5], ["/a", "/b", "/c"]),
        (OutcomeStatus.REFUSED, ["/b", "/c"], ["/a", "/b", "/c"]),
        (OutcomeStatus.FAILED, ["/b"], ["/b"]),
        (OutcomeStatus.FAILED, "nonsense", ["/a", "/b"]),
        (OutcomeStatus.DONE, None, ["/a", "/b"]),
    ],
)
def test_the_undo_record_is_carried(
    status: OutcomeStatus, reported: object, left: list[str]
) -> None:
    """client-actions §2, C20."""
    previous = {"status": "failed", "installed_assets": ["/a", "/b"]}
    assert after(previous, status, installed_assets=reported)["installed_assets"] == left


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    ("previous", "was_done"),
    [
        (None, False),
        ({"status": "failed"}, False),
        ({"status": "refused"}, False),
        ({"status": "done"}, True),
        ({"status": "failed", "prior_done": True}, True),
        ({"status": "refused", "prior_done": True}, True),
        ({"status": "failed", "prior_done": "true"}, False),
    ],
)
def test_having_been_done_is_carried_by_all_but_done(
    status: OutcomeStatus, previous: dict[str, Any] | None, *, was_done: bool
) -> None:
    """client-actions C22, C23."""
    expected = True if was_done and status is not OutcomeStatus.DONE else None
    assert after(previous, status).get("prior_done") == expected


def test_a_replayed_run_changes_nothing() -> None:
    """Contract §5.3."""
    outcome = Outcome(OutcomeStatus.FAILED, reason="X")
    first = marker_after(None, "key", outcome, now=NOW, run_id="r1")
    later = NOW + timedelta(hours=1)
    assert first.run_id == "r1"
    assert marker_after(first, "key", outcome, now=later, run_id="r1") is first
    assert marker_after(first, "key", outcome, now=later, run_id="r2").attempts == 2
    without_run = marker_after(None, "key", outcome, now=NOW)
    assert marker_after(without_run, "key", outcome, now=later).attempts == 2


def test_the_next_attempt_is_written_on_the_marker() -> None:
    marker = Marker({"status": "failed"}).with_next_attempt_at(NOW, 30.5)
    assert marker.fields["next_attempt_at"] == "2026-06-25T00:00:30.500Z"
    assert "next_attempt_at" not in after(dict(marker.fields), OutcomeStatus.FAILED)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"status": "failed"}, False),
        ({"status": "refused", "installed_assets": [7]}, False),
        ({"status": "refused", "installed_assets": ["/a"]}, True),
        ({"status": "failed", "prior_done": True}, True),
        ({"status": "done"}, True),
        ({"status": "of tomorrow"}, True),
    ],
)
def test_only_an_applied_effect_needs_undoing(fields: dict[str, Any], *, expected: bool) -> None:
    """client-actions §2: evidence of an applied effect."""
    assert needs_reverse(Marker(fields)) is expected


@pytest.mark.parametrize("fields", [None, {"status": "done"}, {"status": "failed"}, {}])
def test_only_a_refusal_is_rearmed(fields: dict[str, Any] | None) -> None:
    """client-actions C24."""
    book = MarkerBook()
    if fields is not None:
        book = book.with_marker("attach", "claude", Marker(fields))
    assert rearm(book, "attach", "claude", NOW) is None


def test_a_rearmed_refusal_without_assets_is_dropped() -> None:
    """client-actions C24."""
    book = MarkerBook().with_marker("attach", "claude", Marker({"status": "refused"}))
    assert rearm(book, "attach", "claude", NOW) == MarkerBook()


def test_a_rearmed_refusal_with_assets_becomes_a_failure_that_keeps_them() -> None:
    """client-actions C24."""
    refused = {
        "status": "refused",
        "request_key": "claude",
        "reason": "entry is not ours",
        "at": "2026-06-01T00:00:00.000Z",
        "installed_assets": ["/a"],
        "prior_done": True,
        "note": 1,
    }
    book = MarkerBook().with_marker("attach", "claude", Marker(refused))
    rearmed = rearm(book, "attach", "claude", NOW)
    assert rearmed is not None
    marker = rearmed.get("attach", "claude")
    assert marker is not None
    assert marker.fields == {
        "status": "failed",
        "request_key": "claude",
        "reason": "re-armed by hand; it was refused: entry is not ours",
        "last_attempt": ISO,
        "attempts": 1,
        "installed_assets": ["/a"],
        "prior_done": True,
        "note": 1,
    }
