"""The reconciler with handlers that act in the daemon itself, raise, and can undo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.actions import Dispatched
from hypactors.actors._names import RECONCILER
from hypactors.messages import ActionFinished, DesiredAction, Outcome, OutcomeStatus, Perform
from tests.actions.fakes import FakeHandler, FakeReversibleHandler
from tests.actors.stage import RESYNC_S, Stage

if TYPE_CHECKING:
    from hypactors.actions import ActionContext

DONE = Outcome(OutcomeStatus.DONE, rows=7)
FAILED = Outcome(OutcomeStatus.FAILED, reason="no luck")
REFUSED = Outcome(OutcomeStatus.REFUSED, reason="ask a person")


def test_a_handler_that_raises_stops_no_other(stage: Stage) -> None:
    """client-actions A5: neither the others nor, later, itself; its markers stay."""
    broken = FakeReversibleHandler("broken")
    broken.desired_error = ValueError("cannot tell")
    steady = FakeHandler("steady")
    stage.mark(json.dumps({"broken": {"gone": {"status": "done"}}}))
    stage.boot(broken, steady)
    assert steady.performed == ["unit"]
    assert stage.markers().keys() == {"broken", "steady"}
    assert broken.reversed == []
    assert stage.events("client_action.desired_failed") == [
        {
            "event": "client_action.desired_failed",
            "log_level": "error",
            "kind": "broken",
            "detail": "cannot tell",
            "error_kind": "handler_desired_threw",
        }
    ]
    assert stage.settled_so_far() == [("*",)]
    broken.desired_error = None
    stage.edge()
    assert broken.performed == ["unit"]
    assert stage.settled_so_far()[-1] == ()


@pytest.mark.parametrize("raised", [OSError("spawn ENOENT"), None])
def test_a_perform_that_goes_wrong_is_a_failure_of_that_unit_alone(
    stage: Stage, raised: Exception | None
) -> None:
    """client-actions A4, A11."""
    handler = FakeHandler(wanted=("first", "second"))
    handler.outcomes.append(raised)
    stage.boot(handler)
    assert handler.performed == ["first", "second"]
    assert stage.marker("fake", "first")["status"] == "failed"
    assert stage.marker("fake", "second")["status"] == "done"
    assert stage.settled_so_far() == [("first",)]
    stage.pass_time(30)
    assert handler.performed == ["first", "second", "first"]


def test_an_effect_no_longer_wanted_is_reversed_once_and_forgotten(stage: Stage) -> None:
    """client-actions B13, end to end."""
    handler = FakeReversibleHandler()
    stage.boot(handler)
    handler.wanted = []
    stage.edge()
    assert [key for key, _ in handler.reversed] == ["unit"]
    assert handler.reversed[0][1].is_done
    assert stage.markers() == {}
    stage.edge()
    assert len(handler.reversed) == 1
    assert stage.actions_logged()[1:] == [
        {
            "event": "client_action.reversed",
            "log_level": "info",
            "kind": "fake",
            "request_key": "unit",
            "run_id": "2026-06-25T00:00:00.000Z-2",
        }
    ]


@pytest.mark.parametrize("outcome", [FAILED, REFUSED, ValueError("no luck")])
def test_a_reverse_that_fails_keeps_the_marker_and_is_tried_again(
    stage: Stage, outcome: Outcome | Exception
) -> None:
    """client-actions B14: a refusal to undo is a failure too."""
    handler = FakeReversibleHandler()
    handler.undo_outcomes.append(outcome)
    stage.boot(handler)
    handler.wanted = []
    stage.edge()
    assert stage.marker("fake", "unit")["status"] == "done"
    [line] = stage.events("client_action.reverse_failed")
    assert (line["kind"], line["request_key"]) == ("fake", "unit")
    assert (line["log_level"], line["error_kind"]) == ("error", "action_reverse_failed")
    assert line["detail"] in {"no luck", "ask a person"}
    stage.pass_time(RESYNC_S)
    assert len(handler.reversed) == 2
    assert stage.markers() == {}


def test_a_reverse_that_failed_is_not_met(stage: Stage) -> None:
    """Contract §4: ``--once`` exits 3 when an action ended failed."""
    handler = FakeReversibleHandler()
    handler.undo_outcomes.append(FAILED)
    stage.boot(handler)
    handler.wanted = []
    stage.edge()
    assert stage.settled_so_far() == [(), ("unit",)]


def test_a_failure_without_an_effect_is_forgotten_without_a_word(stage: Stage) -> None:
    """client-actions B15."""
    handler = FakeReversibleHandler()
    handler.outcomes.append(FAILED)
    stage.boot(handler)
    handler.wanted = []
    stage.edge()
    assert (stage.markers(), handler.reversed) == ({}, [])
    assert stage.events("daemon.reconcile_pass")[-1]["results"] == 0
    assert len(stage.actions_logged()) == 1, "the failure"


class TwoRunners(FakeHandler):
    """Its units belong to a runner each."""

    def perform(self, action: DesiredAction, ctx: ActionContext) -> Outcome | Dispatched:  # noqa: ARG002
        return Dispatched(f"backfill:{action.request_key}")


def test_settled_means_that_no_unit_at_all_is_under_way(stage: Stage) -> None:
    runners = {key: stage.stand_in(f"backfill:{key}") for key in ("a", "b")}
    stage.boot(TwoRunners("backfill", ("a", "b")))
    for key, outcome in (("a", FAILED), ("b", DONE)):
        runners[key].next(Perform)
        assert stage.settled_so_far() == []
        stage.tell(
            RECONCILER, ActionFinished(f"backfill:{key}", "backfill", key, outcome, f"run-{key}")
        )
        stage.quiesce()
    assert stage.settled_so_far() == [("a",)]
