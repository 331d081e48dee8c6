"""A runner over its crashes, its waits for the lock and its end: nothing is started twice."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from hypactors.actors._backfill_runner import LOCK_RETRY_S, REPORT_BUDGET_S
from hypactors.actors._limit_guard import LOOK_S
from hypactors.messages import (
    ActionFinished,
    ActionInterrupted,
    DescribeRun,
    DrainRequested,
    ImportEnded,
    ReconcilerReady,
    RunnerReady,
    WaitingImport,
)
from hypactors.processes import FileLock, ProviderRuns
from tests.actors.imports import PERFORM, live_again
from tests.actors.stage import KEY, RUNNER, Mailbox, Stage

if TYPE_CHECKING:
    from tests.actors.imports import PlayedImports


def test_a_runner_that_crashed_takes_its_import_up_again(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """Nothing is started twice, and no result is lost."""
    stage.tell(RUNNER, PERFORM)
    stage.crash(RUNNER)
    live_again(stage, imports)
    assert reconciler.next(RunnerReady) == RunnerReady(RUNNER)
    assert stage.busy[-1] == (RUNNER, True)
    stage.tell(RUNNER, PERFORM)
    run_id = imports.end().run_id
    assert reconciler.next(ActionFinished).run_id == run_id
    assert len(imports.started) == 1
    assert [line["run_id"] for line in stage.events("import_adopted")] == [run_id]


@pytest.mark.parametrize("set_back_s", [3600, 0.0], ids=["clock set back", "same second"])
def test_an_import_is_taken_up_whatever_the_clock_said_when_it_was_started(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, set_back_s: float
) -> None:
    """A run id is a wall-clock time to the second, and chance."""
    stage.new_token = lambda: "ffffff"
    stage.tell(RUNNER, PERFORM)
    imports.end()
    stage.acknowledge(reconciler.next(ActionFinished))
    stage.clock.advance(-set_back_s)
    stage.new_token = lambda: "000000"
    stage.tell(RUNNER, PERFORM)
    stage.crash(RUNNER)
    live_again(stage, imports)
    reconciler.next(RunnerReady)
    assert stage.busy[-1] == (RUNNER, True)
    run_id = imports.end().run_id
    assert reconciler.next(ActionFinished).run_id == run_id


def test_a_run_that_could_not_be_settled_does_not_undo_the_one_after_it(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full when the first, a failure, was to be settled."""

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    stage.tell(RUNNER, PERFORM)
    imports.end(1)
    with monkeypatch.context() as patch:
        patch.setattr(ProviderRuns, "settle", full)
        stage.acknowledge(reconciler.next(ActionFinished))
    [line] = stage.events("run_not_settled")
    assert line["run_id"] == imports.started[0].run_id
    stage.clock.advance(30)
    stage.tell(RUNNER, PERFORM)
    imports.end()
    stage.acknowledge(reconciler.next(ActionFinished))
    for _ in range(2):
        stage.crash(RUNNER)
        live_again(stage, imports)
        reconciler.next(RunnerReady)
    assert stage.runs().unsettled() == []


def test_an_import_that_ended_while_no_runner_lived_is_reported_by_the_next(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    stage.tell(RUNNER, PERFORM)
    stage.crash(RUNNER)
    imports.end()
    live_again(stage, imports)
    assert reconciler.next(ActionFinished).outcome.rows == 7
    reconciler.next(RunnerReady)
    assert stage.events("import_adopted") == []


def test_a_runner_that_crashed_while_it_reported_reports_again(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """Contract §5.3: with the same run id, so that nothing is counted twice."""
    stage.tell(RUNNER, PERFORM)
    imports.end(1)
    finished = reconciler.next(ActionFinished)
    for _ in range(2):
        stage.crash(RUNNER)
        live_again(stage, imports)
        assert reconciler.next(ActionFinished) == finished
        reconciler.next(RunnerReady)
    stage.acknowledge(finished)
    stage.crash(RUNNER)
    live_again(stage, imports)
    reconciler.next(RunnerReady)
    assert reconciler.all() == [], "it is settled"


def test_a_reconciler_that_restarted_is_told_again_what_is_not_recorded(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """It may have lost the outcome with its mailbox; no Perform need ever come again."""
    stage.tell(RUNNER, PERFORM, DrainRequested())
    imports.end()
    finished = reconciler.next(ActionFinished)
    stage.tell(RUNNER, ReconcilerReady())
    assert reconciler.next(ActionFinished) == finished
    stage.acknowledge(finished)
    stage.tell(RUNNER, ReconcilerReady())
    assert reconciler.all() == []


def test_a_daemon_that_stops_does_not_wait_for_an_outcome_that_cannot_be_recorded(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """The outcome is safe in the run's folder, and the next start tells it again."""
    stage.tell(RUNNER, PERFORM)
    imports.end()
    finished = reconciler.next(ActionFinished)
    stage.tell(RUNNER, DrainRequested())
    assert stage.busy[-1] == (RUNNER, True)
    stage.timers.advance(REPORT_BUDGET_S)
    stage.settle(RUNNER)
    assert stage.busy[-1] == (RUNNER, False)
    stage.crash(RUNNER)
    live_again(stage, imports)
    assert reconciler.next(ActionFinished) == finished


def test_an_import_nobody_ended_is_interrupted_when_it_is_found_dead(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """Contract §5.2: the lock is free and there is no result."""
    stage.tell(RUNNER, PERFORM)
    stage.crash(RUNNER)
    run_id = imports.vanish().run_id
    live_again(stage, imports)
    assert reconciler.next(ActionInterrupted).run_id == run_id
    reconciler.next(RunnerReady)
    assert stage.newest_run() == ("settled", "interrupted")


def test_the_end_of_another_run_ends_nothing(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """A run that an earlier life started, say, whose message took its time."""
    stage.tell(RUNNER, PERFORM)
    stage.tell(RUNNER, ImportEnded("20000101T000000Z-000000"))
    assert reconciler.all() == []
    imports.end()
    reconciler.next(ActionFinished)
    stage.tell(RUNNER, ImportEnded(imports.started[0].run_id))
    assert reconciler.all() == []


def test_it_waits_for_a_manual_import_and_then_starts(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """Contract §5.1: they take the same lock."""
    manual = FileLock.try_take(stage.home.import_lock("claude"))
    assert manual is not None
    with manual:
        stage.tell(RUNNER, PERFORM)
        for _ in range(3):
            stage.timers.advance(LOCK_RETRY_S)
            stage.settle(RUNNER)
        assert imports.started == []
        waiting = WaitingImport("claude", KEY, "an import by hand to end")
        assert stage.ask(RUNNER, DescribeRun()) == waiting
        assert stage.slots.holders() == frozenset(), "somebody else may go first"
        assert set(stage.busy) == {(RUNNER, False)}, "it is not busy: a drain need not wait"
        assert [line["event"] for line in stage.events()] == ["import_waits"]
        assert stage.runs().runs() == []
    stage.timers.advance(LOCK_RETRY_S)
    stage.settle(RUNNER)
    assert len(imports.started) == 1
    assert stage.timers.pending_delays() == [LOOK_S]
    assert reconciler.all() == []


def test_waiting_for_the_lock_starts_one_import_however_often_it_was_asked(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """A reconciler that restarts asks again; run once is once."""
    manual = FileLock.try_take(stage.home.import_lock("claude"))
    assert manual is not None
    with manual:
        stage.tell(RUNNER, PERFORM)
        stage.timers.advance(1)
        stage.tell(RUNNER, PERFORM)
    stage.timers.advance(LOCK_RETRY_S - 1)
    stage.settle(RUNNER)
    imports.end()
    stage.acknowledge(reconciler.next(ActionFinished))
    stage.timers.advance(LOCK_RETRY_S)
    stage.settle(RUNNER)
    assert len(imports.started) == 1


def test_a_runner_that_crashed_while_it_waited_starts_one_import(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    manual = FileLock.try_take(stage.home.import_lock("claude"))
    assert manual is not None
    with manual:
        stage.tell(RUNNER, PERFORM)
        stage.crash(RUNNER)
    live_again(stage, imports)
    reconciler.next(RunnerReady)
    stage.tell(RUNNER, PERFORM)  # as the reconciler answers to RunnerReady
    imports.end()
    stage.acknowledge(reconciler.next(ActionFinished))
    stage.timers.advance(LOCK_RETRY_S)
    stage.settle(RUNNER)
    assert len(imports.started) == 1


def test_a_drain_ends_the_wait_for_the_lock_and_begins_nothing(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    manual = FileLock.try_take(stage.home.import_lock("claude"))
    assert manual is not None
    with manual:
        stage.tell(RUNNER, PERFORM, DrainRequested())
    stage.timers.advance(LOCK_RETRY_S)
    stage.tell(RUNNER, PERFORM)
    assert (imports.started, reconciler.all()) == ([], [])
    assert stage.timers.pending_delays() == []


def test_a_drain_lets_the_import_that_runs_come_to_its_end(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    stage.tell(RUNNER, PERFORM, DrainRequested())
    assert stage.busy[-1] == (RUNNER, True)
    imports.end()
    stage.acknowledge(reconciler.next(ActionFinished))
    assert stage.busy[-1] == (RUNNER, False)
    assert stage.newest_run() == ("settled", "done")
