"""Hooks that misbehave, and what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hypactors.actions import (
    ActionRefused,
    BackfillHandler,
    ChecksFreshness,
    Marker,
    Reversible,
    is_refusal,
    perform_safely,
    reverse_safely,
)
from hypactors.messages import DesiredAction, Outcome, OutcomeStatus
from tests.actions.fakes import FakeFreshnessHandler, FakeHandler, FakeReversibleHandler

if TYPE_CHECKING:
    from tests.actions.fakes import PassDriver

ACTION = DesiredAction("unit")


class MarkedError(Exception):
    """As an adapter raises it that cannot import ours."""

    action_refused = True


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ActionRefused("no"), True),
        (MarkedError("no"), True),
        (ValueError("refused"), False),
        ("refused", False),
        (None, False),
        (MarkedError, False),
    ],
)
def test_a_refusal_is_stated_and_never_inferred(value: object, *, expected: bool) -> None:
    """client-actions C26."""
    assert is_refusal(value) is expected


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (FileNotFoundError(2, "No such file", "/x"), "failed", "[Errno 2] No such file: '/x'"),
        (ValueError("two\nlines\x1b[31m"), "failed", "two lines"),
        (KeyError(), "failed", "KeyError"),
        (RuntimeError("Bearer abc123"), "failed", "Bearer [redacted]"),
        (MarkedError("not ours"), "refused", "not ours"),
    ],
)
def test_an_exception_becomes_an_outcome(
    driver: PassDriver, error: Exception, status: str, reason: str
) -> None:
    """client-actions A4, C26."""
    handler = FakeReversibleHandler()
    handler.outcomes.append(error)
    handler.undo_outcomes.append(error)
    performed = perform_safely(handler, ACTION, driver.context())
    assert performed == Outcome(OutcomeStatus(status), reason=reason)
    undone = reverse_safely(handler, "unit", driver.context(), Marker({}))
    assert undone == Outcome(OutcomeStatus.FAILED, reason=reason)


def test_a_refusal_to_reverse_is_a_failure(driver: PassDriver) -> None:
    """client-actions §2."""
    handler = FakeReversibleHandler()
    handler.undo_outcomes.append(Outcome(OutcomeStatus.REFUSED, reason="locked"))
    undone = reverse_safely(handler, "unit", driver.context(), Marker({}))
    assert undone == Outcome(OutcomeStatus.FAILED, reason="locked")


@pytest.mark.parametrize("returned", [None, "done", True, Outcome("done")])  # type: ignore[arg-type]
def test_what_is_no_outcome_is_a_failure(driver: PassDriver, returned: Any) -> None:
    """client-actions A11."""
    handler = FakeReversibleHandler()
    handler.outcomes.append(returned)
    handler.undo_outcomes.append(returned)
    expected = Outcome(OutcomeStatus.FAILED, reason="handler returned no outcome")
    assert perform_safely(handler, ACTION, driver.context()) == expected
    assert reverse_safely(handler, "unit", driver.context(), Marker({})) == expected


@pytest.mark.parametrize("detail", [{"at": object()}, {"n": float("nan")}, {1: {2}}, 5])
def test_a_detail_that_no_file_can_hold_is_a_failure(driver: PassDriver, detail: Any) -> None:
    handler = FakeHandler()
    handler.outcomes.append(Outcome(OutcomeStatus.DONE, detail=detail))
    outcome = perform_safely(handler, ACTION, driver.context())
    assert isinstance(outcome, Outcome)
    assert outcome.status is OutcomeStatus.FAILED


def test_optional_hooks_are_found_by_their_presence() -> None:
    """client-actions §1, E38."""
    assert not isinstance(FakeHandler(), Reversible)
    assert isinstance(FakeReversibleHandler(), Reversible)
    assert not isinstance(FakeReversibleHandler(), ChecksFreshness)
    assert isinstance(FakeFreshnessHandler(), ChecksFreshness)
    assert not isinstance(BackfillHandler(), Reversible)
    assert isinstance(BackfillHandler(), ChecksFreshness)
