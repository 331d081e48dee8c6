"""The tree as the daemon builds it, in this process: only its imports are others."""

from __future__ import annotations

import json
import os
import queue
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.actions import BackfillHandler
from hypactors.actors._names import (
    CENTRAL_LINK,
    CONFIG_CONTROL,
    CONTROL_ENDPOINT,
    MAINTENANCE,
    MARKER_STORE,
    RECONCILER,
)
from hypactors.actors._reconciler import Reconciler
from hypactors.actors._reconciler_states import Settled
from hypactors.config import resolve_layers
from hypactors.messages import PollSucceeded, ReloadRequested
from hypactors.processes import FileLock
from hypactors.supervision import ChildContext, ChildState
from tests.actors.stage import KEY, RUNNER, TRAP_S, Stage
from tests.actors.tree import CODEX, CODEX_RUNNER, Tree
from tests.processes.lab import eventually, no_child_left

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tree(stage: Stage) -> Iterator[Tree]:
    with no_child_left():
        tree = Tree(stage)
        yield tree
        tree.stop()


class Built(Exception):  # noqa: N818 - not an error: it ends the building
    """Raised in the place of starting an actor."""


def built(tree: Tree, monkeypatch: pytest.MonkeyPatch, name: str, actor: type) -> dict[str, Any]:
    """Return what the system would give to an actor."""
    given: dict[str, Any] = {}

    def start(_context: ChildContext, **collaborators: Any) -> None:
        given.update(collaborators)
        raise Built

    monkeypatch.setattr(actor, "start", start)
    [spec] = [spec for spec in tree.system._children({}) if spec.name == name]
    with pytest.raises(Built):
        spec.factory(ChildContext(name, 1, tree.system.directory, lambda _notice: None))
    monkeypatch.undo()
    return given


@pytest.fixture
def unstarted(stage: Stage) -> Iterator[Tree]:
    tree = Tree(stage)
    yield tree
    tree.close()


def test_the_handlers_are_backfill_alone(unstarted: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """client-actions D35, as contract §1 has it; read from what the reconciler is given."""
    handlers = built(unstarted, monkeypatch, RECONCILER, Reconciler)["handlers"]
    assert [type(handler) for handler in handlers] == [BackfillHandler]
    assert [handler.kind for handler in handlers] == ["backfill"]


def test_a_pass_sees_the_home_that_the_daemon_booted_from(
    unstarted: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """client-actions D34: whatever ``HYP_HOME`` says in its own environment."""
    environ = built(unstarted, monkeypatch, RECONCILER, Reconciler)["machine"].environ
    assert environ["HYP_HOME"] == str(unstarted.stage.home.root)
    assert environ["PATH"] == os.environ["PATH"]


def test_actors_start_in_order_and_a_runner_for_each_provider_that_is_enabled(
    tree: Tree,
) -> None:
    tree.stage.join({"name": KEY, "config": {"backfill": {"on_join": False}}})
    tree.start()
    tree.tell(CONFIG_CONTROL)
    eventually(lambda: all(c.state is ChildState.RUNNING for c in tree.system.children()))
    names = [
        MARKER_STORE,
        CONFIG_CONTROL,
        RECONCILER,
        CENTRAL_LINK,
        MAINTENANCE,
        CONTROL_ENDPOINT,
        RUNNER,
    ]
    assert [child.name for child in tree.system.children()] == names
    assert tree.next(Settled) == Settled(())

    tree.stage.join(
        {"name": KEY, "config": {"backfill": {"on_join": False}}},
        {"name": "@hypaware/codex", "config": {"backfill": {"on_join": False}}},
    )
    for _ in range(2):
        tree.tell(CONFIG_CONTROL, ReloadRequested())
    eventually(lambda: tree.system.runners() == [MAINTENANCE, RUNNER, "backfill:codex"])
    assert [child.name for child in tree.system.children()] == [*names, "backfill:codex"]


@pytest.mark.process
def test_a_confirmed_machine_makes_one_pass_at_boot_and_imports(tree: Tree) -> None:
    """client-actions D31, the main job in one process."""
    tree.stage.join()
    tree.release()
    tree.start()
    assert tree.next(Settled) == Settled(())
    assert tree.passes() == ["boot-already-confirmed"]
    assert tree.stage.marker()["rows"] == 42
    assert tree.starts() == 1


def test_an_import_that_was_left_running_has_its_slot_before_anybody_asks(
    unstarted: Tree, stage: Stage
) -> None:
    """Its own runner may be the last to start; a manual import's slot is given back by it."""
    stage.join({"name": KEY}, {"name": CODEX.plugin})
    layers = resolve_layers(stage.home, {}, contributed=[KEY, CODEX.plugin])
    lock = FileLock.try_take(stage.home.import_lock("codex"))
    assert lock is not None
    with lock:
        unstarted.system._layers_adopted(layers)
        assert unstarted.system._slots.holders() == {CODEX_RUNNER}
        unstarted.system._slots.give_back(CODEX_RUNNER)
        unstarted.system._runner_is_busy(CODEX_RUNNER, False)
        unstarted.system._layers_adopted(layers)
        assert unstarted.system._slots.holders() == frozenset(), "now it sees to it itself"


@pytest.mark.parametrize("probation", [None, "etag-1"], ids=["never joined", "on trial"])
def test_there_is_no_pass_without_a_confirmed_config(tree: Tree, probation: str | None) -> None:
    """client-actions D32."""
    if probation is not None:
        tree.stage.join(probation=probation)
    tree.start()
    tree.tell(CONFIG_CONTROL)
    assert tree.passes() == []


@pytest.mark.process
def test_the_poll_that_ends_a_trial_gives_the_one_pass(tree: Tree) -> None:
    """client-actions D33: and a second poll none."""
    tree.stage.join(probation="etag-1")
    tree.release()
    tree.start()
    tree.tell(CONFIG_CONTROL, PollSucceeded())
    tree.next(Settled)
    tree.tell(CONFIG_CONTROL, PollSucceeded())
    assert tree.passes() == ["confirm-edge"]
    assert tree.stage.marker()["rows"] == 42


@pytest.mark.process
@pytest.mark.parametrize("victim", [MARKER_STORE, CONFIG_CONTROL, RECONCILER, RUNNER])
def test_whatever_crashes_during_an_import_it_is_done_once(tree: Tree, victim: str) -> None:
    tree.stage.join()
    tree.start()
    eventually(tree.starts)
    tree.system.directory.tell(victim, object())
    eventually(lambda: tree.stage.events("actor_restarted"))
    tree.release()
    eventually(lambda: tree.stage.marker().get("status") == "done")
    tree.tell(CONFIG_CONTROL)
    assert tree.starts() == 1
    assert [line["child"] for line in tree.stage.events("actor_crashed")] == [victim]
    assert [line["restarts"] for line in tree.stage.events("actor_restarted")] == [1]
    [child] = [child for child in tree.system.children() if child.name == victim]
    assert (child.state, child.restarts) == (ChildState.RUNNING, 1)


def test_draining_what_does_nothing_is_over_at_once(tree: Tree) -> None:
    """client-actions D29."""
    tree.stage.join(probation="etag-1")
    tree.start()
    tree.tell(CONFIG_CONTROL)
    tree.system.drain()
    assert tree.system.busy_runners() == []


@pytest.mark.process
def test_after_a_drain_an_import_that_runs_is_named_and_nothing_is_begun(tree: Tree) -> None:
    """The pass is settled before the actors stop, so no marker write is cut off."""
    tree.stage.join()
    tree.start()
    eventually(tree.starts)
    tree.system.drain()
    assert tree.system.busy_runners() == [RUNNER]
    tree.tell(CONFIG_CONTROL, ReloadRequested())
    tree.release()
    eventually(lambda: not tree.system.busy_runners())
    assert tree.stage.marker()["rows"] == 42
    assert tree.starts() == 1


@pytest.mark.process
def test_the_next_daemon_counts_no_attempt_twice(stage: Stage) -> None:
    """Contract §5.3: the marker was written, and the daemon died before it settled the run."""
    stage.join()
    with no_child_left():
        first = Tree(stage)
        first.release()
        first.start()
        first.next(Settled)
        first.stop()
        before = stage.marker()
        [run] = stage.runs().runs()
        record = json.loads((run.path / "run.json").read_bytes())
        (run.path / "run.json").write_text(json.dumps({**record, "state": "starting"}))
        second = Tree(stage)
        second.start()
        second.next(Settled)
        eventually(lambda: stage.runs().unsettled() == [])
        second.stop()
    assert stage.marker() == before
    assert second.starts() == 1


def test_no_actor_may_ask_another(stage: Stage) -> None:
    """Contract §11: enforced at run time, on the thread of whoever tries."""
    caught: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    def ask(_layers: object) -> None:
        try:
            stage.directory.ask(CONFIG_CONTROL, object(), timeout_s=TRAP_S)
        except RuntimeError as error:
            caught.put(error)

    stage.on_layers = ask
    stage.start_config_control()
    assert "must not ask" in str(caught.get(timeout=TRAP_S))
