"""A runner that has to wait until other imports have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.messages import (
    ActionFinished,
    DescribeRun,
    DrainRequested,
    RunnerReady,
    WaitingImport,
)
from tests.actors.imports import PERFORM, live_again
from tests.actors.stage import KEY, RUNNER, Mailbox, Stage

if TYPE_CHECKING:
    from tests.actors.imports import PlayedImports

WAITING = WaitingImport("claude", KEY, "other imports to end")
OTHERS = ("other", "another")


def occupy_all(stage: Stage) -> None:
    for name in OTHERS:
        stage.slots.occupy(name)


def test_it_starts_when_a_slot_is_free(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    occupy_all(stage)
    stage.tell(RUNNER, PERFORM, PERFORM)
    assert imports.started == []
    assert stage.runs().runs() == [], "nothing is recorded that has not begun"
    assert stage.ask(RUNNER, DescribeRun()) == WAITING
    assert [line["event"] for line in stage.events()] == ["import_waits"]
    stage.slots.give_back("other")
    stage.settle(RUNNER)
    assert len(imports.started) == 1
    assert stage.slots.holders() == {"another", RUNNER}
    assert reconciler.all() == []


def test_the_slot_is_given_back_when_the_import_has_ended(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    stage.tell(RUNNER, PERFORM)
    assert stage.slots.holders() == {RUNNER}
    imports.end()
    reconciler.next(ActionFinished)
    stage.settle(RUNNER)
    assert stage.slots.holders() == frozenset(), "also while its outcome is not recorded yet"


def test_a_drain_gives_up_the_place_in_the_queue(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    occupy_all(stage)
    stage.tell(RUNNER, PERFORM, DrainRequested())
    assert stage.ask(RUNNER, DescribeRun()) is None
    stage.slots.give_back("other")
    stage.settle(RUNNER)
    assert (imports.started, reconciler.all()) == ([], [])
    assert stage.slots.holders() == {"another"}


def test_an_import_that_is_found_again_counts_beyond_the_limit(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    stage.tell(RUNNER, PERFORM)
    stage.crash(RUNNER)
    stage.slots.give_back(RUNNER)  # as in a daemon that has just started
    occupy_all(stage)
    live_again(stage, imports)
    reconciler.next(RunnerReady)
    assert stage.slots.holders() == {*OTHERS, RUNNER}


def test_a_runner_that_dies_during_its_import_lets_nobody_in(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """Its next life must not give the slot back, even for a moment."""
    stage.tell(RUNNER, PERFORM)
    stage.slots.occupy("other")
    granted: list[str] = []
    assert not stage.slots.take("third", lambda: granted.append("third"))
    stage.crash(RUNNER)
    live_again(stage, imports)
    reconciler.next(RunnerReady)
    assert granted == []
    assert stage.slots.holders() == {"other", RUNNER}


def test_a_runner_that_dies_as_it_waits_holds_nothing(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """The slot that it is granted in between is given back by its next life."""
    occupy_all(stage)
    stage.tell(RUNNER, PERFORM)
    stage.crash(RUNNER)
    stage.slots.give_back("other")
    assert RUNNER in stage.slots.holders()
    live_again(stage, imports)
    reconciler.next(RunnerReady)
    assert stage.slots.holders() == {"another"}
