"""The trial of a config: its window, its clock, and a crash in the middle of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.actors._names import CONFIG_CONTROL
from hypactors.config import ApplyEngine, StageResult, running_etag
from hypactors.messages import (
    ConfigConfirmed,
    ConfigStaged,
    PollFailed,
    PollSucceeded,
    StageConfig,
)
from tests.actors.neighbours import (
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

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S = 10.0


# The window


@pytest.mark.parametrize(
    ("poll_s", "window_s"),
    [(None, 900), (5, 120), (100, 300), (100_000, 10_800)],
    ids=["no cadence", "fast", "slow", "absurd"],
)
def test_the_window_is_armed_and_runs_out(
    stage: Stage, near: Neighbours, poll_s: float | None, window_s: float
) -> None:
    """config-control 14: up to the last second, then back."""
    stage.tell(CONFIG_CONTROL, StageConfig(served(entry(), poll_s=poll_s), "E1"))
    stage.pass_time(window_s - 1)
    assert running_etag(stage.home) == "E1"
    assert stage.timers.pending_delays() == [pytest.approx(1)]
    near.forget()
    stage.pass_time(1)
    assert running_etag(stage.home) is None
    assert stage.timers.pending_delays() == []
    assert restarts(stage) == ["config_applied", "probation_expired"]


def test_a_window_that_runs_out_brings_the_config_before_back(
    stage: Stage, near: Neighbours
) -> None:
    """config-control 27, 18, 29: it runs again, is confirmed as before, and the other is bad."""
    keep(stage, E1)
    stage.tell(CONFIG_CONTROL, E2)
    near.forget()
    stage.pass_time(WINDOW_S)
    changed = config(stage)
    assert (window_days(changed), changed.is_confirmed) == (1, True)
    assert near.reconciler.all() == [changed, ConfigConfirmed("probation_expired", "E1")]
    assert near.link.all() == near.runner.all() == [changed]
    assert restarts(stage) == ["config_applied", "config_applied", "probation_expired"]

    state = state_of(stage.home)
    assert "probation" not in state
    for record in ("bad_etag", "last_rollback"):
        assert (state[record]["etag"], state[record]["reason"]) == ("E2", "probation_expired")

    stage.tell(CONFIG_CONTROL, PollSucceeded(), E2)
    assert near.link.all() == [ConfigStaged(StageResult("skipped_bad_etag"), "E2")]
    assert near.reconciler.all() == []
    keep(stage, E3)


def test_the_first_window_that_runs_out_brings_the_seed_back(
    stage: Stage, near: Neighbours
) -> None:
    """config-control 27, 29: its bytes, and no etag to poll with."""
    stage.tell(CONFIG_CONTROL, E1)
    near.forget()
    stage.pass_time(WINDOW_S)
    changed = config(stage)
    assert window_days(changed) is None
    assert near.reconciler.all() == [changed, ConfigConfirmed("probation_expired", None)]
    assert stage.home.active_link.read_bytes() == served()
    assert running_etag(stage.home) is None
    assert stage.events("config.probation_expired", "config.rollback") != []


def test_a_poll_before_the_end_of_the_window_disarms_it(stage: Stage, near: Neighbours) -> None:
    """config-control 29: no second restart."""
    stage.tell(CONFIG_CONTROL, E1)
    stage.pass_time(WINDOW_S - 1)
    stage.tell(CONFIG_CONTROL, PollSucceeded())
    assert stage.timers.pending_delays() == []
    near.forget()
    stage.pass_time(WINDOW_S)
    assert near.reconciler.all() == []
    assert restarts(stage) == ["config_applied"]


def test_a_poll_that_failed_confirms_nothing(stage: Stage, near: Neighbours) -> None:
    stage.tell(CONFIG_CONTROL, E1)
    near.forget()
    stage.tell(CONFIG_CONTROL, PollFailed())
    assert near.reconciler.all() == []
    assert not config(stage).is_confirmed


def test_the_only_config_there_is_goes_on_when_its_window_runs_out(
    stage: Stage, near: Neighbours
) -> None:
    """config-control 30: no bad etag, no second restart, and no edge that nobody earned."""
    stage.home.seed_file.unlink()
    stage.tell(CONFIG_CONTROL, E1)
    near.forget()
    stage.pass_time(WINDOW_S)
    changed = config(stage)
    assert (window_days(changed), changed.is_confirmed) == (1, True)
    assert near.reconciler.all() == [changed]
    assert running_etag(stage.home) == "E1"
    assert not {"probation", "bad_etag"} & state_of(stage.home).keys()
    assert len(stage.events("config.rollback_no_target")) == 1
    assert restarts(stage) == ["config_applied"]
    assert stage.timers.pending_delays() == []
    keep(stage, E2)


def test_a_rollback_that_the_disk_refuses_is_tried_again(stage: Stage, near: Neighbours) -> None:
    keep(stage, E1)
    stage.tell(CONFIG_CONTROL, E2)
    near.forget()
    stage.disk.is_full = True
    stage.pass_time(WINDOW_S)
    assert running_etag(stage.home) == "E2"
    assert not config(stage).is_confirmed
    stage.disk.is_full = False
    near.forget()
    stage.pass_time(TICK_S)
    assert near.reconciler.all() == [
        config(stage),
        ConfigConfirmed("probation_expired", "E1"),
    ]


# The clock of a trial


def test_the_time_of_a_trial_is_saved_as_it_passes(stage: Stage, near: Neighbours) -> None:
    """Contract §7: each tick arms the next."""
    stage.tell(CONFIG_CONTROL, E1)
    near.forget()
    for tick in range(1, 5):
        assert stage.timers.pending_delays() == [TICK_S]
        stage.pass_time(TICK_S)
        assert state_of(stage.home)["probation"]["elapsed_s"] == tick * TICK_S
    assert near.reconciler.all() == []


def test_a_laptop_that_sleeps_loses_no_config(stage: Stage, near: Neighbours) -> None:
    """Contract §7: the wall clock jumps over the end of the window, the trial's does not."""
    stage.tell(CONFIG_CONTROL, E1)
    stage.clock._now += timedelta(days=3)
    near.forget()
    stage.pass_time(TICK_S)
    assert running_etag(stage.home) == "E1"
    assert near.reconciler.all() == []
    stage.pass_time(WINDOW_S - TICK_S)
    assert running_etag(stage.home) is None


def test_stopping_saves_the_time_and_the_next_daemon_goes_on_from_there(
    stage: Stage, near: Neighbours
) -> None:
    """config-control 27, contract §7: a boot before the end keeps the trial."""
    stage.tell(CONFIG_CONTROL, E1)
    stage.clock.advance(7)
    stage.stop(CONFIG_CONTROL)
    assert state_of(stage.home)["probation"]["elapsed_s"] == 7
    assert stage.timers.pending_delays() == []

    stage.clock.advance(100)  # nobody runs
    again = Stage(stage.home)
    again.clock = stage.clock
    near = Neighbours(again)
    again.start_config_control()
    try:
        assert near.reconciler.all() == [config(again)]
        assert not config(again).is_confirmed
        assert again.events("config.rollback") == []
        again.pass_time(WINDOW_S - 7 - 1)
        assert running_etag(again.home) == "E1"
        again.pass_time(1)
        assert running_etag(again.home) is None
    finally:
        again.close()


# A crash of its own


@pytest.mark.parametrize("then", ["stage", "tick"])
def test_a_crash_between_the_commit_and_the_restart_loses_neither(
    stage: Stage, near: Neighbours, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """The next life finds the config that is active, and tells everybody of it."""
    keep(stage, E1)
    if then == "tick":
        stage.tell(CONFIG_CONTROL, E2)
    near.forget()
    engine = stage.boot_engine()
    real: Callable[..., object] = getattr(ApplyEngine, then)

    def do_and_die(*arguments: Any) -> None:
        real(engine, *arguments)
        raise RuntimeError("died right after")

    with monkeypatch.context() as patch:
        patch.setattr(engine, then, do_and_die)
        if then == "stage":
            stage.directory.tell(CONFIG_CONTROL, E2)
        else:
            stage.clock.advance(WINDOW_S)
            stage.timers.advance(WINDOW_S)
        stage.next_end(CONFIG_CONTROL)
    assert engine.is_restart_pending
    assert near.reconciler.all() == []

    stage.start_config_control()
    changed = config(stage)
    assert not stage.boot_engine().is_restart_pending
    if then == "stage":
        assert near.reconciler.all() == [changed]
        assert (window_days(changed), changed.is_confirmed) == (2, False)
        assert near.link.all() == near.runner.all() == [changed]
        keep(stage, E2)
    else:
        edge = ConfigConfirmed("boot-already-confirmed", "E1")
        assert near.reconciler.all() == [changed, edge]
        assert (window_days(changed), changed.is_confirmed) == (1, True)


def test_a_crash_during_a_trial_does_not_stop_its_clock(stage: Stage, near: Neighbours) -> None:
    stage.tell(CONFIG_CONTROL, E1)
    stage.pass_time(500)
    stage.crash(CONFIG_CONTROL)
    stage.start_config_control()
    near.forget()
    stage.pass_time(399)
    assert near.reconciler.all() == []
    stage.pass_time(1)
    assert near.reconciler.all() == [config(stage), ConfigConfirmed("probation_expired", None)]
