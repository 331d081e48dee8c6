"""What an import has covered, whether it still counts, and what a window that grew asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.actions import (
    ActionContext,
    BackfillHandler,
    Marker,
    MarkerBook,
    PerformUnit,
    ProviderRef,
    SkipReason,
    SkipUnit,
    Unit,
    marker_after,
    plan_pass,
)
from hypactors.actions._coverage import Covered, joined
from hypactors.clock import iso_ms
from hypactors.config import ConfigDocument, PluginEntry
from hypactors.messages import Outcome, OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEY = "@hypaware/claude"
UNIT = Unit("backfill", KEY)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def span(days: float | None, until: datetime = NOW) -> dict[str, Any]:
    return {"since": None if days is None else iso_ms(until - days * DAY), "until": iso_ms(until)}


def done(**fields: Any) -> Marker:
    return Marker({"status": "done", "request_key": KEY, "at": iso_ms(NOW), "rows": 5, **fields})


def context(
    *,
    window_days: int | None = None,
    cache_id: Callable[[], str | None] | None = None,
    has_history: Callable[[Mapping[str, str]], bool] | None = None,
    now: datetime = NOW,
) -> ActionContext:
    policy = {} if window_days is None else {"backfill": {"window_days": window_days}}
    config = ConfigDocument(plugins=(PluginEntry(KEY, config=policy),))
    provider = ProviderRef("claude", KEY, has_history)
    return ActionContext(config, [provider], {}, now, cache_id=cache_id)


def steps(marker: Marker, ctx: ActionContext, *, is_asked: bool = False) -> Any:
    book = MarkerBook().with_marker(*UNIT, marker)
    plan = plan_pass(
        [BackfillHandler()],
        ctx,
        book,
        busy=(),
        retry_all=True,
        hurried=[UNIT] if is_asked else (),
        now=ctx.now,
    )
    [step] = plan.steps
    return step


def is_done(marker: Marker, ctx: ActionContext, *, is_asked: bool = False) -> bool:
    step = steps(marker, ctx, is_asked=is_asked)
    return isinstance(step, SkipUnit) and step.why is SkipReason.DONE


def fail() -> str:
    raise OSError("locked")


@pytest.mark.parametrize(
    ("recorded", "now", "counts"),
    [("a", lambda: "a", True), ("a", lambda: "b", False), ("a", lambda: None, False),
     (None, lambda: "b", True), ("a", fail, True), ("a", None, True)],
)  # fmt: skip
def test_a_cache_that_was_made_anew_makes_done_stale(
    recorded: str | None, now: Callable[[], str | None] | None, *, counts: bool
) -> None:
    """contract §8: a marker without a cache is current."""
    marker = done(files=3, **({} if recorded is None else {"cache_id": recorded}))
    assert is_done(marker, context(cache_id=now)) is counts


@pytest.mark.parametrize(
    ("files", "has_history", "age", "counts"),
    [(0, True, 2 * DAY, False), (0, False, 2 * DAY, True), (0, True, timedelta(minutes=5), True),
     (3, True, 2 * DAY, True), (None, True, 2 * DAY, True),
     (0, None, DAY / 2, True), (0, None, DAY, False)],
)  # fmt: skip
def test_who_found_nothing_looks_again_now_and_then(
    files: int | None,
    has_history: bool | None,  # noqa: FBT001
    age: timedelta,
    *,
    counts: bool,
) -> None:
    marker = done(**({} if files is None else {"files": files}))
    probe = None if has_history is None else lambda _environ: bool(has_history)
    assert is_done(marker, context(has_history=probe, now=NOW + age)) is counts


def test_a_window_that_grew_is_imported_when_somebody_asks_and_only_what_is_missing() -> None:
    marker = done(covered=span(30), cache_id="a")
    ctx = context(window_days=90, cache_id=lambda: "a")
    assert is_done(marker, ctx), "run once stays run once"

    step = steps(marker, ctx, is_asked=True)

    assert isinstance(step, PerformUnit)
    assert step.action.params["since"] == iso_ms(NOW - 90 * DAY)
    assert step.action.params["until"] == iso_ms(NOW - 30 * DAY)


@pytest.mark.parametrize(
    ("covered", "days"),
    [(span(90), 90), (span(90), 30), (span(None), 90), (None, 90), ({"since": 7}, 90)],
)
def test_nothing_is_missing_of_a_window_that_did_not_grow(covered: object, days: int) -> None:
    assert is_done(done(covered=covered), context(window_days=days), is_asked=True)
    later = context(window_days=days, now=NOW + 5 * DAY)
    assert is_done(done(covered=covered), later, is_asked=True)


def test_without_a_window_what_is_retained_counts() -> None:
    assert not is_done(done(covered=span(30)), context(), is_asked=True)
    assert is_done(done(covered=span(90)), context(), is_asked=True)


def test_a_stale_unit_is_done_as_a_whole() -> None:
    marker = done(covered=span(30), cache_id="a")
    step = steps(marker, context(window_days=90, cache_id=lambda: "b"), is_asked=True)
    assert isinstance(step, PerformUnit)
    assert "since" not in step.action.params


def test_a_slice_widens_what_the_marker_covers() -> None:
    before = done(covered=span(30), cache_id="a", run_id="r1")
    detail = {"covered": span(60, NOW - 30 * DAY), "cache_id": "a", "files": 4}
    outcome = Outcome(OutcomeStatus.DONE, rows=7, detail=detail)

    after = marker_after(before, KEY, outcome, now=NOW, run_id="r2")

    assert after.covered == Covered(NOW - 90 * DAY, NOW)
    assert (after.rows, after.files) == (12, 4)


def test_another_cache_covers_what_it_covers() -> None:
    before = done(covered=span(30), cache_id="a", run_id="r1")
    outcome = Outcome(OutcomeStatus.DONE, rows=7, detail={"covered": span(60), "cache_id": "b"})
    after = marker_after(before, KEY, outcome, now=NOW, run_id="r2")
    assert (after.covered, after.rows) == (Covered(NOW - 60 * DAY, NOW), 7)


SPANS = st.builds(
    lambda days, back: span(days, NOW - back * DAY),
    st.none() | st.integers(0, 200),
    st.integers(0, 200),
)


@given(SPANS | st.none() | st.text() | st.dictionaries(st.text(), st.integers()), SPANS)
def test_a_span_that_is_joined_holds_both_and_nothing_between(before: Any, after: Any) -> None:
    both = joined(before, after)
    if both is None:
        return
    first, second, whole = Covered.read(before), Covered.read(after), Covered.read(both)
    assert first is not None
    assert second is not None
    assert whole is not None
    assert whole.until == max(first.until, second.until)
    assert whole.since == second.since, "it is the earlier one"
    assert first.since is None or second.until >= first.since, "no gap"
