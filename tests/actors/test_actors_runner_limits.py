"""A runner whose import takes too much: it ends it, and says why, whoever crashes in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypactors.actors import _backfill_runner, _limit_guard
from hypactors.actors._limit_guard import LOOK_S, LOOKS_A_SAVE
from hypactors.messages import ActionFinished, OutcomeStatus, RunnerReady
from hypactors.processes import MIB, WORKERS_VARIABLE, Usage
from tests.actors.imports import PERFORM, live_again
from tests.actors.stage import GRACE_S, RUNNER, Mailbox, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.processes import RunFolder, RunRecord
    from tests.actors.imports import PlayedImports

TOO_MUCH = Usage(memory_bytes=2000 * MIB, progress=1, stdout_bytes=0)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note who is signalled; nobody is there to hear it."""
    sent: list[str] = []
    for name in ("terminate", "kill"):

        def send(folder: RunFolder, name: str = name) -> bool:
            record = folder.record()
            assert record is not None
            sent.append(f"{name}, on disk: {record.stopped_for}")
            return True

        monkeypatch.setattr(_limit_guard, name, send)
    return sent


def look(stage: Stage) -> None:
    stage.clock.advance(LOOK_S)
    stage.timers.advance(LOOK_S)
    stage.settle(RUNNER)


def test_an_import_over_its_limit_is_asked_to_end_and_then_killed(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, signals: list[str]
) -> None:
    """Contract §5.6: the verdict is on disk before anybody is signalled."""
    stage.tell(RUNNER, PERFORM)
    look(stage)
    assert signals == []
    stage.usage = TOO_MUCH
    look(stage)
    assert signals == ["terminate, on disk: memory limit: 2000 MiB of 1536"]
    stage.timers.advance(GRACE_S)
    stage.settle(RUNNER)
    assert signals[1:] == ["kill, on disk: memory limit: 2000 MiB of 1536"]
    run_id = imports.end(None, signal="SIGKILL").run_id
    outcome = reconciler.next(ActionFinished).outcome
    assert outcome.status is OutcomeStatus.FAILED
    assert outcome.reason == f"memory limit: 2000 MiB of 1536 (after 1 s, run {run_id})"
    assert len(stage.events("import_over_limit")) == 1
    assert stage.timers.pending_delays() == []


def test_ending_in_order_for_a_limit_is_a_failure_too(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, signals: list[str]
) -> None:
    """After SIGTERM it exits with 143, as one that a person interrupted does."""
    stage.tell(RUNNER, PERFORM)
    stage.usage = TOO_MUCH
    look(stage)
    imports.end(143)
    outcome = reconciler.next(ActionFinished).outcome
    assert outcome.status is OutcomeStatus.FAILED
    assert len(signals) == 1


def test_one_that_was_done_just_then_is_done(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, signals: list[str]
) -> None:
    stage.tell(RUNNER, PERFORM)
    stage.usage = TOO_MUCH
    look(stage)
    imports.end(0)
    assert reconciler.next(ActionFinished).outcome.status is OutcomeStatus.DONE
    assert len(signals) == 1


@pytest.mark.usefixtures("reconciler")
def test_a_verdict_survives_the_runner(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, signals: list[str]
) -> None:
    stage.tell(RUNNER, PERFORM)
    stage.usage = TOO_MUCH
    look(stage)
    stage.crash(RUNNER)
    live_again(stage, imports)
    reconciler.next(RunnerReady)
    assert len(signals) == 2, "asked once more: its last life may have died before it could"
    stage.timers.advance(GRACE_S)
    stage.settle(RUNNER)
    assert signals[2].startswith("kill")
    imports.vanish()
    assert reconciler.next(ActionFinished).outcome.status is OutcomeStatus.FAILED


def test_how_long_it_has_run_is_remembered(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, signals: list[str]
) -> None:
    """Two lives of the daemon share one limit."""
    stage.tell(RUNNER, PERFORM)
    for number in range(LOOKS_A_SAVE):
        stage.usage = Usage(0, number, 0)
        look(stage)
    record = imports.started[0].record()
    assert record is not None
    assert record.elapsed_s == LOOK_S * LOOKS_A_SAVE
    stage.crash(RUNNER)
    stage.clock.advance(86_400)  # nobody looked in between
    live_again(stage, imports)
    reconciler.next(RunnerReady)
    look(stage)
    assert signals == []
    stage.clock.advance(21_600 - LOOK_S * (LOOKS_A_SAVE + 1))
    stage.usage = Usage(0, "work", 0)
    look(stage)
    assert signals == ["terminate, on disk: it ran for longer than 6 h"]


def test_after_too_much_memory_the_next_attempt_is_frugal(
    stage: Stage,
    imports: PlayedImports,
    reconciler: Mailbox,
    signals: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Contract §5.6: one worker; and the one after that is not held to it."""
    workers: list[str | None] = []
    launch = imports._launch

    def note(folder: RunFolder, record: RunRecord, **options: object) -> None:
        environ: Mapping[str, str] = options["environ"]  # type: ignore[assignment]
        workers.append(environ.get(WORKERS_VARIABLE))
        launch(folder, record, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(_backfill_runner, "launch", note)
    for end in (None, 1, 0):
        stage.tell(RUNNER, PERFORM)
        if end is None:
            stage.usage = TOO_MUCH
            look(stage)
            stage.usage = Usage(0, 0, 0)
        imports.end(end, signal=None if end is not None else "SIGKILL")
        stage.acknowledge(reconciler.next(ActionFinished))
        stage.clock.advance(1)  # the newest run is known by the time in its name
    assert workers == [None, "1", None]
    assert len(signals) == 1
