"""Config control alone: what the config is, and when it is confirmed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.actors._names import CONFIG_CONTROL, RECONCILER
from hypactors.config import ApplyEngine
from hypactors.messages import (
    ConfigChanged,
    ConfigConfirmed,
    DescribeConfig,
    PollSucceeded,
    ReconcileRequested,
    ReconcilerReady,
    ReloadRequested,
)
from tests.actors.stage import KEY, Mailbox, Stage

if TYPE_CHECKING:
    from hypactors.config import Layers

AT_BOOT = ConfigConfirmed("boot-already-confirmed", "etag-1")
BY_POLL = ConfigConfirmed("confirm-edge", "etag-1")


@pytest.fixture
def reconciler(stage: Stage) -> Mailbox:
    return stage.stand_in(RECONCILER)


def boot(stage: Stage, reconciler: Mailbox) -> list[object]:
    """Start in the daemon's order, and return what the reconciler is told when it is there."""
    stage.start_config_control()
    reconciler.all()  # at boot nobody is there yet to hear it
    stage.tell(CONFIG_CONTROL, ReconcilerReady())
    return reconciler.all()


def config(stage: Stage) -> ConfigChanged:
    found = stage.ask(CONFIG_CONTROL, DescribeConfig())
    assert isinstance(found, ConfigChanged)
    return found


def probation(stage: Stage) -> object:
    return json.loads(stage.home.state_file.read_text()).get("probation")


def test_a_confirmed_config_gives_one_edge_at_boot(stage: Stage, reconciler: Mailbox) -> None:
    """client-actions D31: a central layer and no probation; the config comes first."""
    stage.join()
    told = boot(stage, reconciler)
    assert told == [config(stage), AT_BOOT]
    assert config(stage).is_confirmed


def test_a_seed_is_a_central_layer_without_an_etag(stage: Stage, reconciler: Mailbox) -> None:
    """client-actions D31: the seed of a join needs no slot."""
    stage.home.control_dir.mkdir(parents=True)
    stage.home.seed_file.write_text(json.dumps({"version": 2, "plugins": [{"name": KEY}]}))
    assert boot(stage, reconciler)[1:] == [ConfigConfirmed("boot-already-confirmed", None)]


def test_a_machine_that_never_joined_gets_no_edge(stage: Stage, reconciler: Mailbox) -> None:
    """client-actions D32: a local layer alone runs, and confirms nothing."""
    stage.home.root.mkdir(parents=True)
    document = {"version": 2, "plugins": [{"name": KEY}]}
    stage.home.default_local_config.write_text(json.dumps(document))
    [changed] = boot(stage, reconciler)
    assert isinstance(changed, ConfigChanged)
    assert changed.layers.effective is not None
    assert not changed.is_confirmed
    stage.tell(CONFIG_CONTROL, PollSucceeded(), ReloadRequested())
    assert reconciler.all() == [config(stage)]


def test_a_config_on_trial_gives_no_edge(stage: Stage, reconciler: Mailbox) -> None:
    """client-actions D32: probation is active."""
    stage.join(probation="etag-1")
    [changed] = boot(stage, reconciler)
    assert changed == config(stage)
    assert not config(stage).is_confirmed


def test_the_confirmation_edge_is_given_once(stage: Stage, reconciler: Mailbox) -> None:
    """client-actions D33, D37: the poll that ends the trial, and no poll after it."""
    stage.join(probation="etag-1")
    boot(stage, reconciler)
    stage.tell(CONFIG_CONTROL, PollSucceeded())
    assert reconciler.all() == [config(stage), BY_POLL]
    assert config(stage).is_confirmed
    assert probation(stage) is None
    assert stage.events() == [
        {"event": "config.probation_cleared", "log_level": "info", "etag": "etag-1"}
    ]
    stage.tell(CONFIG_CONTROL, PollSucceeded(), PollSucceeded())
    assert reconciler.all() == []
    assert len(stage.events()) == 1


def test_a_poll_without_a_trial_is_nothing_new(stage: Stage, reconciler: Mailbox) -> None:
    """client-actions D37: no probation, no edge."""
    stage.join()
    boot(stage, reconciler)
    stage.tell(CONFIG_CONTROL, PollSucceeded())
    assert (reconciler.all(), stage.events()) == ([], [])


def test_the_trial_is_over_on_disk_before_anybody_is_told(
    stage: Stage, reconciler: Mailbox
) -> None:
    stage.join(probation="etag-1")
    boot(stage, reconciler)
    seen: list[object] = []
    reconciler.on_tell = lambda _message: seen.append(probation(stage))
    stage.tell(CONFIG_CONTROL, PollSucceeded())
    assert seen == [None, None]


def test_an_edge_that_a_crash_swallowed_comes_again(
    stage: Stage, reconciler: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial was cleared on disk, and config control died before it could say so."""
    stage.join(probation="etag-1")
    boot(stage, reconciler)

    engine = stage.boot_engine()

    def confirm_and_die() -> None:
        ApplyEngine.confirm_poll(engine)
        raise RuntimeError("died right after")

    monkeypatch.setattr(engine, "confirm_poll", confirm_and_die)
    stage.directory.tell(CONFIG_CONTROL, PollSucceeded())
    stage.next_end(CONFIG_CONTROL)
    assert reconciler.all() == []
    stage.start_config_control()
    assert reconciler.all() == [config(stage), AT_BOOT]


def test_a_trial_that_could_not_be_cleared_goes_on(stage: Stage, reconciler: Mailbox) -> None:
    """No edge is given for what a restart would take back; the next poll confirms."""
    stage.join(probation="etag-1")
    boot(stage, reconciler)
    stage.disk.is_full = True
    stage.tell(CONFIG_CONTROL, PollSucceeded())
    assert reconciler.all() == []
    assert not config(stage).is_confirmed
    [line] = stage.events("config.confirm_failed")
    assert "No space left on device" in line["detail"]
    stage.disk.is_full = False
    stage.tell(CONFIG_CONTROL, PollSucceeded())
    assert reconciler.all() == [config(stage), BY_POLL]


def test_a_reload_reads_the_layers_again_and_gives_an_edge(
    stage: Stage, reconciler: Mailbox
) -> None:
    """Contract §1: passes also come from SIGHUP; status 35: both layers are merged again."""
    stage.join()
    boot(stage, reconciler)
    stage.join({"name": KEY, "enabled": False})
    stage.tell(CONFIG_CONTROL, ReloadRequested())
    changed = config(stage)
    assert reconciler.all() == [changed, ReconcileRequested("reload", is_edge=True)]
    assert changed.layers.effective is not None
    assert not changed.layers.effective.plugins[0].enabled


def test_a_reload_under_trial_gives_no_edge(stage: Stage, reconciler: Mailbox) -> None:
    """client-actions D32 holds for a reload too."""
    stage.join()
    boot(stage, reconciler)
    stage.join(probation="etag-2")
    stage.tell(CONFIG_CONTROL, ReloadRequested())
    assert reconciler.all() == [config(stage)]
    assert not config(stage).is_confirmed


@pytest.mark.parametrize("broken", ["not json", '{"version": 1}', "[]"])
def test_a_reload_with_a_broken_layer_keeps_the_running_config(
    stage: Stage, reconciler: Mailbox, broken: str
) -> None:
    stage.join()
    boot(stage, reconciler)
    before = config(stage)
    stage.home.slot_file("a").write_text(broken)
    stage.tell(CONFIG_CONTROL, ReloadRequested())
    assert reconciler.all() == []
    assert config(stage) == before
    [line] = stage.events()
    assert (line["event"], line["log_level"]) == ("daemon.reload_config_failed", "error")
    assert str(stage.home.slot_file("a")) in line["problems"][0]


def test_a_broken_central_layer_is_one_clear_error_and_no_edge(
    stage: Stage, reconciler: Mailbox
) -> None:
    """The daemon stays up, degraded; the local layer never runs alone on a joined machine."""
    stage.join()
    stage.home.slot_file("a").write_text('{"version": 1, "plugins": []}')
    [changed] = boot(stage, reconciler)
    assert isinstance(changed, ConfigChanged)
    assert (changed.is_confirmed, changed.layers.effective) == (False, None)
    [line] = stage.events()
    assert (line["event"], line["log_level"]) == ("config.layer_unusable", "error")
    assert (line["layer"], line["kind"]) == ("central", "config_invalid_shape")
    assert str(stage.home.slot_file("a")) in line["detail"]
    assert "/version" in line["detail"]

    stage.join()
    stage.tell(CONFIG_CONTROL, ReloadRequested())
    assert reconciler.all() == [config(stage), ReconcileRequested("reload", is_edge=True)]


def test_a_broken_local_layer_under_a_central_one_is_left_out_with_a_warning(
    stage: Stage, reconciler: Mailbox
) -> None:
    stage.join()
    stage.home.default_local_config.write_text("not json")
    assert boot(stage, reconciler)[1:] == [AT_BOOT]
    [line] = stage.events()
    assert (line["event"], line["log_level"]) == ("config.layer_unusable", "warning")
    assert line["layer"] == "local"


def test_what_the_local_layer_lost_to_the_central_one_is_logged(
    stage: Stage, reconciler: Mailbox
) -> None:
    stage.join()
    local = {"version": 2, "plugins": [{"name": KEY, "enabled": False}]}
    stage.home.default_local_config.write_text(json.dumps(local))
    boot(stage, reconciler)
    [line] = stage.events("config.local_entry_dropped")
    assert (line["section"], line["key"]) == ("plugins", KEY)
    assert line["reason"] == "collides_with_central"


def test_a_runner_is_called_for_before_anybody_hears_of_the_config(
    stage: Stage, reconciler: Mailbox
) -> None:
    order: list[object] = []

    def on_layers(layers: Layers) -> None:
        assert layers.effective is not None
        order.append("runners")

    stage.on_layers = on_layers
    reconciler.on_tell = lambda message: order.append(type(message))
    stage.join()
    stage.start_config_control()
    assert order == ["runners", ConfigChanged, ConfigConfirmed]
