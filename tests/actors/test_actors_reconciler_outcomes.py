"""Reconciler and marker store together: what becomes of a unit, and what the log says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypactors.actions import BackfillHandler, save_markers
from hypactors.actors import _marker_store
from hypactors.actors._names import MARKER_STORE, RECONCILER
from hypactors.messages import (
    ActionFinished,
    ActionInterrupted,
    DesiredAction,
    DrainRequested,
    MarkerStoreReady,
    Outcome,
    OutcomeRecorded,
    OutcomeStatus,
    Perform,
    ReconcileRequested,
)
from tests.actions.fakes import FakeHandler
from tests.actors.stage import EDGE, KEY, RESYNC_S, RUNNER, Mailbox, Stage

if TYPE_CHECKING:
    from hypactors.actions import MarkerBook
    from hypactors.paths import HypHome

DONE = Outcome(OutcomeStatus.DONE, rows=7)
FAILED = Outcome(OutcomeStatus.FAILED, reason="no luck")
REFUSED = Outcome(OutcomeStatus.REFUSED, reason="ask a person")


@pytest.fixture
def runner(stage: Stage) -> Mailbox:
    return stage.stand_in(RUNNER)


def finish(stage: Stage, outcome: Outcome = DONE, run_id: str = "run-1") -> None:
    stage.tell(RECONCILER, ActionFinished(RUNNER, "backfill", KEY, outcome, run_id))
    stage.quiesce()


def test_a_wanted_import_is_performed_recorded_and_left_alone_from_then_on(
    stage: Stage, runner: Mailbox
) -> None:
    """client-actions A1, from the edge to the marker and the log."""
    stage.boot(BackfillHandler())
    assert runner.next(Perform) == Perform(
        "backfill",
        DesiredAction(KEY, {"provider": "claude", "plugin": KEY}),
        reason="confirm-edge",
        attempt=1,
        pass_id="pass-2026-06-25T00:00:00.000Z-1",
    )
    assert (stage.markers(), stage.settled_so_far()) == ({}, [])
    finish(stage)
    assert runner.next(OutcomeRecorded).recorded.outcome == DONE
    assert stage.marker()["rows"] == 7
    assert stage.settled_so_far() == [()]
    stage.edge()
    stage.pass_time(RESYNC_S)
    assert runner.all() == []
    assert stage.settled_so_far() == [(), ()]
    assert stage.actions_logged() == [
        {
            "event": "client_action.done",
            "log_level": "info",
            "kind": "backfill",
            "request_key": KEY,
            "run_id": "run-1",
            "rows": 7,
        }
    ]


def test_a_unit_that_is_under_way_is_not_performed_twice(stage: Stage, runner: Mailbox) -> None:
    stage.boot(BackfillHandler())
    runner.next(Perform)
    stage.edge()
    stage.pass_time(RESYNC_S)
    assert runner.all() == []
    assert stage.settled_so_far() == []


def test_an_outcome_nobody_had_asked_for_is_recorded(stage: Stage, runner: Mailbox) -> None:
    """Contract §7: matched by run id and accepted with no pass open, also in a new life."""
    stage.boot(BackfillHandler())
    stage.crash(RECONCILER)
    stage.start_reconciler(BackfillHandler())
    finish(stage)
    assert stage.marker()["run_id"] == "run-1"
    runner.next(Perform)
    runner.next(OutcomeRecorded)


def test_a_failure_is_retried_after_its_wait_and_each_attempt_is_counted(
    stage: Stage, runner: Mailbox
) -> None:
    """client-actions A3, with the timer that the contract adds: 30 s, then 60 s, then no more."""
    stage.boot(BackfillHandler())
    runner.next(Perform)
    finish(stage, FAILED, "run-1")
    runner.next(OutcomeRecorded)
    assert stage.settled_so_far() == [(KEY,)]
    stage.pass_time(29.9)
    assert runner.all() == []
    stage.pass_time(0.1)
    second = runner.next(Perform)
    assert (second.attempt, second.reason) == (2, "retry")
    finish(stage, FAILED, "run-2")
    runner.next(OutcomeRecorded)
    stage.pass_time(60)
    assert runner.next(Perform).attempt == 3
    finish(stage, DONE, "run-3")
    assert stage.marker()["status"] == "done"
    assert stage.settled_so_far() == [(KEY,), ()]
    assert stage.timers.pending_delays() == [RESYNC_S - 90], "no timer but the resync"
    failure = {
        "event": "client_action.failed",
        "log_level": "error",
        "kind": "backfill",
        "request_key": KEY,
        "detail": "no luck",
        "error_kind": "action_perform_failed",
    }
    assert stage.actions_logged()[:2] == [
        {**failure, "run_id": "run-1", "attempts": 1},
        {**failure, "run_id": "run-2", "attempts": 2},
    ]
    assert [line["event"] for line in stage.actions_logged()[2:]] == ["client_action.done"]


def test_a_tick_waits_for_the_next_attempt_and_an_edge_does_not(
    stage: Stage, runner: Mailbox
) -> None:
    """Contract §1."""
    stage.boot(BackfillHandler())
    finish(stage, FAILED)
    runner.all()
    stage.tell(RECONCILER, ReconcileRequested("resync", is_edge=False))
    stage.quiesce()
    assert runner.all() == []
    stage.edge()
    assert runner.next(Perform).attempt == 2
    finish(stage, DONE, "run-2")
    runner.all()
    stage.pass_time(30)
    assert runner.all() == [], "the retry of the first failure was called off"


def test_a_refusal_is_final_until_a_person_acts(stage: Stage, runner: Mailbox) -> None:
    """client-actions C18, C19: no attempts, and neither edge nor timer tries it again."""
    stage.boot(BackfillHandler())
    finish(stage, REFUSED)
    runner.all()
    assert "attempts" not in stage.marker()
    stage.edge()
    stage.pass_time(2 * 3600)
    assert runner.all() == []
    assert set(stage.settled_so_far()) == {(KEY,)}
    assert stage.actions_logged() == [
        {
            "event": "client_action.refused",
            "log_level": "error",
            "kind": "backfill",
            "request_key": KEY,
            "run_id": "run-1",
            "detail": "ask a person",
            "error_kind": "action_refused",
        }
    ]


def test_an_interrupted_import_changes_no_marker_and_is_tried_again_with_back_off(
    stage: Stage, runner: Mailbox
) -> None:
    """Contract §5.3."""
    stage.boot(BackfillHandler())
    for number, wait_s in enumerate((30, 60, 120), 1):
        assert runner.next(Perform).attempt == 1, "it is no failed attempt"
        stage.tell(RECONCILER, ActionInterrupted(RUNNER, "backfill", KEY, f"run-{number}"))
        stage.pass_time(wait_s - 0.1)
        assert runner.all() == []
        stage.pass_time(0.1)
    assert stage.markers() == {}
    assert stage.actions_logged() == []
    runner.next(Perform)
    finish(stage, FAILED)
    runner.all()
    stage.pass_time(30)
    runner.next(Perform)
    stage.tell(RECONCILER, ActionInterrupted(RUNNER, "backfill", KEY, "run-9"))
    stage.pass_time(30)
    assert runner.next(Perform).attempt == 2, "an outcome in between: counted from one again"


def test_an_interruption_does_not_settle_what_is_to_be_tried_again(
    stage: Stage, runner: Mailbox
) -> None:
    """``--once`` must not take an import that a crash cut off for one that failed."""
    stage.boot(BackfillHandler())
    runner.next(Perform)
    stage.tell(RECONCILER, ActionInterrupted(RUNNER, "backfill", KEY, "run-1"))
    stage.quiesce()
    assert stage.settled_so_far() == []


def test_an_interrupted_unit_that_is_not_wanted_any_more_is_no_reason_to_wait(
    stage: Stage, runner: Mailbox
) -> None:
    stage.boot(BackfillHandler())
    stage.tell(RECONCILER, ActionInterrupted(RUNNER, "backfill", KEY, "run-1"))
    stage.join({"name": KEY, "enabled": False})
    stage.tell(RECONCILER, stage.config())
    stage.edge()
    assert stage.settled_so_far() == [()]
    stage.pass_time(30)
    assert [type(message) for message in runner.all()] == [Perform], "only the first one"


def test_outcomes_are_recorded_while_draining_and_nothing_new_is_begun(
    stage: Stage, runner: Mailbox
) -> None:
    stage.boot(BackfillHandler())
    runner.next(Perform)
    stage.tell(RECONCILER, DrainRequested())
    finish(stage, FAILED)
    runner.next(OutcomeRecorded)
    assert stage.marker()["attempts"] == 1
    stage.edge()
    stage.pass_time(3600)
    assert runner.all() == []
    assert stage.timers.pending_delays() == []


class Dies:
    """Saves, and dies before it can say so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._save = save_markers
        self._is_armed = False
        monkeypatch.setattr(_marker_store, "save_markers", self)

    def arm(self) -> None:
        self._is_armed = True

    def __call__(self, home: HypHome, book: MarkerBook) -> None:
        self._save(home, book)
        if self._is_armed:
            self._is_armed = False
            raise RuntimeError("died right after")


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Dies:
    return Dies(monkeypatch)


def store_dies_over(stage: Stage, dies: Dies, outcome: Outcome) -> None:
    dies.arm()
    stage.directory.tell(RECONCILER, ActionFinished(RUNNER, "backfill", KEY, outcome, "run-1"))
    assert isinstance(stage.next_end(MARKER_STORE).error, RuntimeError)
    stage.start_marker_store()
    stage.quiesce()


def test_an_outcome_the_store_died_over_is_counted_and_logged_once(
    stage: Stage, runner: Mailbox, dies: Dies
) -> None:
    """Contract §5.3."""
    stage.boot(BackfillHandler())
    store_dies_over(stage, dies, FAILED)
    assert stage.marker()["attempts"] == 1
    [line] = stage.actions_logged()
    assert (line["event"], line["attempts"]) == ("client_action.failed", 1)
    assert [type(message) for message in runner.all()] == [Perform, OutcomeRecorded]
    assert stage.settled_so_far() == [(KEY,)]


def test_a_failure_the_store_died_over_is_retried_in_time_all_the_same(
    stage: Stage, runner: Mailbox, dies: Dies
) -> None:
    stage.boot(BackfillHandler())
    store_dies_over(stage, dies, FAILED)
    runner.all()
    stage.pass_time(30)
    assert [type(message) for message in runner.all()] == [Perform]


def test_an_attempt_in_the_daemon_itself_is_counted_once_when_the_store_dies_over_it(
    stage: Stage, dies: Dies
) -> None:
    """Contract §5.3: an attempt is never counted twice."""
    handler = FakeHandler()
    handler.outcomes.append(FAILED)
    stage.join()
    stage.start_marker_store()
    stage.start_reconciler(handler)
    dies.arm()
    stage.directory.tell(RECONCILER, stage.config())
    stage.directory.tell(RECONCILER, EDGE)
    stage.next_end(MARKER_STORE)
    stage.start_marker_store()
    stage.quiesce()
    assert stage.marker("fake", "unit")["attempts"] == 1


def test_an_outcome_that_its_runner_reports_again_is_logged_once(
    stage: Stage, runner: Mailbox
) -> None:
    """The runner crashed before it settled the run: the transition is the one it was."""
    stage.boot(BackfillHandler())
    finish(stage)
    finish(stage)
    assert [type(message) for message in runner.all()] == [
        Perform,
        OutcomeRecorded,
        OutcomeRecorded,
    ]
    assert len(stage.actions_logged()) == 1


def test_a_store_that_restarts_with_nothing_owed_is_sent_nothing(
    stage: Stage, runner: Mailbox
) -> None:
    stage.boot(BackfillHandler())
    finish(stage)
    store = stage.stand_in(MARKER_STORE)
    stage.tell(RECONCILER, MarkerStoreReady())
    assert store.all() == []
    assert len(runner.all()) == 2
