"""Config control over the real engine: a document comes in, and everybody hears of it."""

from __future__ import annotations

import pytest

from hypactors.actors._names import CONFIG_CONTROL
from hypactors.config import StageResult, active_slot, running_etag
from hypactors.messages import (
    ConfigChanged,
    ConfigConfirmed,
    ConfigStaged,
    PollSucceeded,
    ReconcileRequested,
    ReconcilerReady,
    ReloadRequested,
    StageConfig,
)
from tests.actors.neighbours import (
    APPLIED,
    E1,
    E2,
    E3,
    Neighbours,
    config,
    keep,
    restarts,
    window_days,
)
from tests.actors.served import WINDOW_S, entry, served, state_of
from tests.actors.stage import Stage

BAD = StageConfig(served(entry(on_join="false")), "bad")


def test_a_good_document_is_tried_in_this_process(stage: Stage, near: Neighbours) -> None:
    """config-control 13, contract §7: everybody hears of it, and nothing is performed yet."""
    stage.tell(CONFIG_CONTROL, E1)
    changed = config(stage)
    assert (window_days(changed), changed.is_confirmed) == (1, False)
    assert near.link.all() == [APPLIED, changed]
    assert near.reconciler.all() == near.runner.all() == [changed]

    assert restarts(stage) == ["config_applied"]
    assert str(stage.home.active_link.readlink()) == "config.b.json"
    assert stage.home.slot_file("a").read_bytes() == served()
    assert not stage.home.seed_file.exists()
    trial = state_of(stage.home)["probation"]
    assert (trial["etag"], trial["slot"], trial["previous_slot"]) == ("E1", "b", "a")


def test_what_a_document_brings_is_called_for_before_anybody_hears_of_it(
    stage: Stage, near: Neighbours
) -> None:
    order: list[object] = []
    stage.on_layers = lambda _layers: order.append("runners")
    near.reconciler.on_tell = lambda message: order.append(type(message))
    stage.tell(CONFIG_CONTROL, E1)
    assert order == ["runners", ConfigChanged]


def test_the_poll_after_it_gives_exactly_one_edge(stage: Stage, near: Neighbours) -> None:
    """config-control 26: a poll, an apply, a poll, a poll."""
    stage.tell(CONFIG_CONTROL, PollSucceeded(), E1)
    near.forget()
    stage.tell(CONFIG_CONTROL, PollSucceeded())
    changed = config(stage)
    assert changed.is_confirmed
    assert near.reconciler.all() == [changed, ConfigConfirmed("confirm-edge", "E1")]
    stage.tell(CONFIG_CONTROL, PollSucceeded())
    assert near.reconciler.all() == []
    assert running_etag(stage.home) == "E1"
    assert "probation" not in state_of(stage.home)
    assert restarts(stage) == ["config_applied"]


def test_a_poll_under_the_config_before_confirms_nothing(stage: Stage, near: Neighbours) -> None:
    """config-control §5.1: one that was under way when the document was applied."""
    before = config(stage).revision
    stage.tell(CONFIG_CONTROL, E1, PollSucceeded(before))
    assert not config(stage).is_confirmed
    near.forget()
    stage.tell(CONFIG_CONTROL, PollSucceeded(config(stage).revision))
    assert near.reconciler.all()[-1] == ConfigConfirmed("confirm-edge", "E1")


def test_a_poll_that_brings_a_newer_document_confirms_the_one_before_first(
    stage: Stage, near: Neighbours
) -> None:
    """config-control §5.5, 22: in one poll, and the slots take turns."""
    stage.tell(CONFIG_CONTROL, E1)
    near.forget()
    stage.tell(CONFIG_CONTROL, PollSucceeded(), E2)
    first, edge, second = near.reconciler.all()
    assert isinstance(first, ConfigChanged)
    assert (window_days(first), first.is_confirmed) == (1, True)
    assert edge == ConfigConfirmed("confirm-edge", "E1")
    assert second == config(stage)
    assert (window_days(config(stage)), config(stage).is_confirmed) == (2, False)
    trial = state_of(stage.home)["probation"]
    assert (trial["slot"], trial["previous_slot"]) == ("a", "b")


def test_a_document_that_is_not_confirmed_yet_is_not_replaced(
    stage: Stage, near: Neighbours
) -> None:
    """The slot that would be written is the one to go back to."""
    stage.tell(CONFIG_CONTROL, E1)
    near.forget()
    stage.tell(CONFIG_CONTROL, E2)
    assert near.link.next(ConfigStaged).result.error_kind == "probation_active"
    assert near.reconciler.all() == []
    keep(stage, E1)
    near.forget()
    stage.tell(CONFIG_CONTROL, E2)
    assert near.link.next(ConfigStaged).result == APPLIED.result


def test_after_a_staged_restart_the_next_document_is_taken(stage: Stage, near: Neighbours) -> None:
    """config-control 21, contract §1: a restart is pending until it completed, and no longer."""
    for document in (E1, E2, E3):
        keep(stage, document)
    near.forget()
    stage.tell(CONFIG_CONTROL, E3)
    assert near.link.all() == [ConfigStaged(StageResult("noop_same_etag"), "E3")]
    assert restarts(stage) == ["config_applied"] * 3
    assert near.reconciler.all() == []


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (BAD, "config_invalid"),
        (StageConfig(b"not json", "bad"), "config_invalid"),
        (StageConfig(b"[" * 100_000, "bad"), "config_invalid"),
        (StageConfig(b'{"version": 2, "plugins": ["\\ud800"]}', "bad"), "config_invalid"),
        (StageConfig(served({"name": "@hypaware/otel", "version": "9"}), "bad"), None),
        (StageConfig(served(), None), "config_invalid"),
        (StageConfig(b'"' + b"x" * 1_100_000 + b'"', "bad"), "document_too_large"),
    ],
    ids=["section", "no json", "deep", "surrogate", "pin", "no etag", "large"],
)
def test_a_bad_document_restarts_nothing(
    stage: Stage, near: Neighbours, document: StageConfig, kind: str | None
) -> None:
    """config-control 16, 19, 20, 25: one event, an answer to the link, and no crash."""
    before = config(stage)
    stage.tell(CONFIG_CONTROL, document)
    result = near.link.next(ConfigStaged).result
    assert result.error_kind == (kind or "bundled_version_mismatch")
    [line] = stage.events("config.apply_failed")
    assert (line["kind"], line["etag"]) == (result.error_kind, document.etag)
    assert (config(stage), restarts(stage)) == (before, [])
    assert near.reconciler.all() == near.link.all() == near.runner.all() == []
    assert stage.home.seed_file.exists()
    assert active_slot(stage.home) is None


def test_a_bad_document_is_not_looked_at_again(stage: Stage, near: Neighbours) -> None:
    """config-control 18: another one is."""
    stage.tell(CONFIG_CONTROL, BAD, BAD, E1)
    answers = [message for message in near.link.all() if isinstance(message, ConfigStaged)]
    assert [answer.result.error_kind for answer in answers] == ["config_invalid", None, None]
    assert [answer.result.action for answer in answers] == [None, "skipped_bad_etag", "applied"]
    assert len(stage.events("config.apply_failed")) == 1


def test_a_document_that_cannot_be_stored_is_tried_at_the_next_poll(
    stage: Stage, near: Neighbours
) -> None:
    """config-control §4, row 10: a full disk is no reason to remember anything."""
    stage.disk.is_full = True
    stage.tell(CONFIG_CONTROL, E1)
    assert near.link.next(ConfigStaged).result.error_kind == "apply_io_error"
    assert (restarts(stage), near.reconciler.all()) == ([], [])
    stage.disk.is_full = False
    keep(stage, E1)


# Reading the layers again


def test_a_reload_during_a_trial_changes_neither_the_trial_nor_its_end(
    stage: Stage, near: Neighbours
) -> None:
    """config-control 38, §6.7: no apply, no probation change, and no edge."""
    stage.tell(CONFIG_CONTROL, E1)
    stage.pass_time(100)
    near.forget()
    stage.tell(CONFIG_CONTROL, ReloadRequested())
    assert near.reconciler.all() == [config(stage)]
    assert not config(stage).is_confirmed
    assert near.link.all() == []
    stage.pass_time(WINDOW_S - 100)
    assert running_etag(stage.home) is None


def test_a_reload_after_a_rollback_runs_the_config_before(stage: Stage, near: Neighbours) -> None:
    keep(stage, E1)
    stage.tell(CONFIG_CONTROL, E2)
    stage.pass_time(WINDOW_S)
    near.forget()
    stage.tell(CONFIG_CONTROL, ReloadRequested())
    assert near.reconciler.all() == [config(stage), ReconcileRequested("reload", is_edge=True)]
    assert window_days(config(stage)) == 1


def test_a_reconciler_that_comes_back_during_a_trial_gets_no_edge(
    stage: Stage, near: Neighbours
) -> None:
    """config-control 36."""
    stage.tell(CONFIG_CONTROL, E1)
    near.forget()
    stage.tell(CONFIG_CONTROL, ReconcilerReady())
    assert near.reconciler.all() == [config(stage)]


# A program that is started anew for each config


@pytest.fixture
def exits(stage: Stage) -> list[str]:
    """Return the reasons for which the program was asked to exit."""
    exits: list[str] = []
    stage.exit_on_apply = exits.append
    return exits


def test_with_exit_on_apply_nothing_is_adopted_and_the_program_is_told(
    stage: Stage, exits: list[str], near: Neighbours
) -> None:
    """config-control 21: from here on a restart is pending, and no poll counts."""
    before = config(stage)
    stage.tell(CONFIG_CONTROL, E1)
    assert exits == ["config_applied"]
    assert near.link.all() == [APPLIED]
    stage.tell(CONFIG_CONTROL, PollSucceeded(), E2)
    assert near.link.next(ConfigStaged).result.error_kind == "restart_pending"
    assert near.reconciler.all() == near.runner.all() == []
    assert config(stage) == before
    assert state_of(stage.home)["probation"]["etag"] == "E1"
    assert exits == ["config_applied"]
    assert stage.events("daemon.restart_completed") == []


def test_with_exit_on_apply_a_rollback_is_a_reason_too(
    stage: Stage, exits: list[str], near: Neighbours
) -> None:
    stage.tell(CONFIG_CONTROL, E1)
    stage.stop(CONFIG_CONTROL)
    again = Stage(stage.home)
    again.exit_on_apply = exits.append
    near = Neighbours(again)
    again.start_config_control()
    near.forget()
    try:
        again.pass_time(WINDOW_S)
        assert exits == ["config_applied", "probation_expired"]
        assert near.reconciler.all() == []
        assert running_etag(again.home) is None
    finally:
        again.close()
