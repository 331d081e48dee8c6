"""What a pass leaves alone, and when a failure is tried again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.actions import (
    ActionContext,
    ForgetUnit,
    Marker,
    MarkerBook,
    PerformUnit,
    Plan,
    ReverseUnit,
    SkipReason,
    SkipUnit,
    Unit,
    plan_pass,
    retry_delay_s,
)
from hypactors.config import ConfigDocument
from hypactors.messages import DesiredAction
from tests.actions.fakes import FakeHandler, FakeReversibleHandler

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tests.actions.fakes import PassDriver


def book(**markers: dict[str, Any]) -> MarkerBook:
    made = MarkerBook()
    for key, fields in markers.items():
        made = made.with_marker("fake", key, Marker(fields))
    return made


def plan(
    driver: PassDriver,
    handler: FakeHandler,
    markers: MarkerBook,
    *,
    busy: Collection[Unit] = (),
    retry_all: bool = False,
    hurried: Collection[Unit] = (),
) -> Plan:
    context = driver.context()
    return plan_pass(
        [handler],
        context,
        markers,
        busy=busy,
        retry_all=retry_all,
        hurried=hurried,
        longest_wait_s=3600,
        now=context.now,
    )


MARKED = st.sampled_from([None, "done", "failed", "refused", "of tomorrow"])


@given(
    st.dictionaries(
        st.sampled_from("abcde"),
        st.tuples(st.sampled_from(["wanted", "not wanted", "undecided"]), MARKED),
    )
)
def test_only_what_is_not_wanted_is_ever_undone(units: dict[str, tuple[str, str | None]]) -> None:
    """Three values: of what a handler cannot tell, nothing is begun and nothing taken back."""
    wish = {key: wish for key, (wish, _) in units.items()}
    handler = FakeReversibleHandler(wanted=[key for key in wish if wish[key] == "wanted"])
    handler.undecided = [key for key in wish if wish[key] == "undecided"]
    markers = book(**{key: {"status": marked} for key, (_, marked) in units.items() if marked})
    now = datetime(2026, 6, 25, tzinfo=UTC)
    context = ActionContext(ConfigDocument(), (), {}, now)
    made = plan_pass([handler], context, markers, busy=(), retry_all=True, now=now)
    for step in made.steps:
        match step:
            case PerformUnit(action=action):
                assert wish[action.request_key] == "wanted"
            case ReverseUnit(request_key=key) | ForgetUnit(request_key=key):
                assert wish[key] == "not wanted"
            case SkipUnit(request_key=key, why=why, detail=detail):
                is_blocked = why is SkipReason.BLOCKED
                assert is_blocked == (wish[key] == "undecided")
                assert detail == ("cannot tell" if is_blocked else None)


def test_what_is_hurried_does_not_wait(driver: PassDriver) -> None:
    markers = book(unit={"status": "failed", "next_attempt_at": "2026-06-25T00:10:00.000Z"})
    (step,) = plan(driver, FakeHandler(), markers, hurried=[Unit("fake", "unit")]).steps
    assert isinstance(step, PerformUnit)


def test_a_clock_that_was_set_back_puts_nothing_off_for_ever(driver: PassDriver) -> None:
    """The next attempt seems to lie a year ahead: no wait is that long."""
    markers = book(unit={"status": "failed", "next_attempt_at": "2027-06-25T00:00:00.000Z"})
    (step,) = plan(driver, FakeHandler(), markers).steps
    assert isinstance(step, PerformUnit)


def test_a_unit_in_flight_is_neither_performed_nor_reversed(driver: PassDriver) -> None:
    """Contract §1: single flight is per unit."""
    handler = FakeReversibleHandler(wanted=["a", "b"])
    made = plan(
        driver,
        handler,
        book(gone={"status": "done"}, lost={"status": "failed"}),
        busy={Unit("fake", "a"), Unit("fake", "gone"), Unit("fake", "lost"), Unit("other", "b")},
    )
    assert [type(step) for step in made.steps] == [SkipUnit, PerformUnit, SkipUnit, SkipUnit]
    skipped = [step for step in made.steps if isinstance(step, SkipUnit)]
    assert [step.request_key for step in skipped] == ["a", "gone", "lost"]
    assert {step.why for step in skipped} == {SkipReason.IN_FLIGHT}


@pytest.mark.parametrize(
    ("next_attempt_at", "is_due"),
    [
        ("2026-06-25T00:00:01.000Z", False),
        ("2026-06-25T00:00:00.000Z", True),
        ("2026-06-24T23:59:59.000Z", True),
        ("whenever", True),
        (None, True),
    ],
)
def test_a_timer_retries_what_is_due_and_an_edge_everything(
    driver: PassDriver, next_attempt_at: str | None, *, is_due: bool
) -> None:
    markers = book(unit={"status": "failed", "next_attempt_at": next_attempt_at})
    (on_timer,) = plan(driver, FakeHandler(), markers).steps
    (on_edge,) = plan(driver, FakeHandler(), markers, retry_all=True).steps
    waiting = SkipUnit("fake", "unit", SkipReason.WAITING)
    assert isinstance(on_edge, PerformUnit)
    assert isinstance(on_timer, PerformUnit) if is_due else on_timer == waiting


@pytest.mark.parametrize(
    ("status", "why", "is_done"),
    [
        ("done", SkipReason.DONE, True),
        ("applied", SkipReason.DONE, True),
        ("refused", SkipReason.REFUSED, False),
    ],
)
def test_a_skip_says_why(
    driver: PassDriver, status: str, why: SkipReason, *, is_done: bool
) -> None:
    (step,) = plan(driver, FakeHandler(), book(unit={"status": status}), retry_all=True).steps
    assert step == SkipUnit("fake", "unit", why)
    assert step.is_done is is_done


def test_a_status_nobody_knows_is_performed(driver: PassDriver) -> None:
    (step,) = plan(driver, FakeHandler(), book(unit={"status": "of tomorrow"})).steps
    assert isinstance(step, PerformUnit)
    assert step.marker == Marker({"status": "of tomorrow"})


class TwiceHandler(FakeHandler):
    """Names one unit twice, with different parameters."""

    def desired(self, ctx: ActionContext) -> Sequence[DesiredAction]:  # noqa: ARG002
        return [DesiredAction("unit", {"n": 1}), DesiredAction("unit", {"n": 2})]


def test_of_a_unit_named_twice_the_first_counts(driver: PassDriver) -> None:
    (step,) = plan(driver, TwiceHandler(), MarkerBook()).steps
    assert isinstance(step, PerformUnit)
    assert step.action.params == {"n": 1}


def test_units_are_performed_in_the_order_of_the_wish(driver: PassDriver) -> None:
    handler = FakeHandler(wanted=["b", "a"])
    steps = plan(driver, handler, MarkerBook()).steps
    assert [step.action.request_key for step in steps if isinstance(step, PerformUnit)] == [
        "b",
        "a",
    ]


def test_the_reverse_gap_follows_the_forward_gap(driver: PassDriver) -> None:
    handler = FakeReversibleHandler(wanted=["unit"])
    markers = book(old={"status": "done"}, tried={"status": "failed"})
    steps = plan(driver, handler, markers).steps
    assert [type(step) for step in steps] == [PerformUnit, ReverseUnit, ForgetUnit]


def test_other_kinds_are_never_touched(driver: PassDriver) -> None:
    """Contract §1: markers of a kind without a handler are never reversed."""
    markers = MarkerBook().with_marker("attach", "claude", Marker({"status": "done"}))
    assert plan(driver, FakeReversibleHandler(wanted=()), markers).steps == ()


def test_a_handler_that_wants_nonsense_counts_as_broken(driver: PassDriver) -> None:
    handler = FakeReversibleHandler()
    handler.desired = lambda _ctx: None  # type: ignore[method-assign, assignment, return-value]
    made = plan(driver, handler, book(old={"status": "done"}))
    assert made.steps == ()
    assert [failure.kind for failure in made.failures] == ["fake"]


def test_the_delay_doubles_up_to_its_cap() -> None:
    """Contract §3: retry.min_s, retry.max_s."""
    delays = [retry_delay_s(n, min_s=30, max_s=3600, jitter=0) for n in range(1, 10)]
    assert delays == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


@given(st.integers(-5, 10**9), st.floats(0, 1, exclude_max=True))
@settings(max_examples=100)
def test_the_jitter_adds_at_most_a_tenth(attempts: int, jitter: float) -> None:
    plain = retry_delay_s(attempts, min_s=30, max_s=3600, jitter=0)
    assert 30 <= plain <= retry_delay_s(attempts, min_s=30, max_s=3600, jitter=jitter)
    assert retry_delay_s(attempts, min_s=30, max_s=3600, jitter=jitter) <= plain * 1.1
