"""The tree as the daemon builds it, in this process: only its imports are others."""

from __future__ import annotations

import json
import os
import queue
import secrets
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from hypactors.actions import BackfillHandler, ProviderRef
from hypactors.actors._names import (
    CONFIG_CONTROL,
    CONTROL_ENDPOINT,
    MARKER_STORE,
    RECONCILER,
)
from hypactors.actors._reconciler import Reconciler, Settled
from hypactors.actors._system import System, SystemContext, SystemEvent, TreeIsUp
from hypactors.clock import SystemClock
from hypactors.messages import PollSucceeded, ReloadRequested
from hypactors.settings import Settings
from hypactors.supervision import ChildContext, ChildState
from tests.actors.stage import CLAUDE, HARMLESS, KEY, RUNNER, TRAP_S, Stage
from tests.processes.lab import DEADLINE_S, eventually, no_child_left

if TYPE_CHECKING:
    from collections.abc import Iterator

Event = TypeVar("Event")

COUNTS_AND_WAITS = """
import os, pathlib, time
home = pathlib.Path(os.environ["HYP_HOME"])
with open(home / "starts", "a") as starts:
    starts.write("start ")
while not (home / "release").exists():
    time.sleep(0.005)
print('{"providers": [{"status": "ok", "rows_written": 42}]}')
"""


class Tree:
    """A system on the home of a stage; its events can be waited for."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._events: queue.SimpleQueue[SystemEvent] = queue.SimpleQueue()
        self._passed_over: list[SystemEvent] = []
        self.context = SystemContext(
            home=stage.home,
            environ={**os.environ, "HYP_HOME": "/not/ours"},
            settings=Settings(retry_min_s=0.01, retry_max_s=0.01),
            providers=[CLAUDE, ProviderRef("codex", "@hypaware/codex")],
            import_command=(sys.executable, "-c", COUNTS_AND_WAITS),
            clock=SystemClock(),
            random=lambda: 0.0,
            new_token=lambda: secrets.token_hex(3),
            daemon_run_id="daemon-1",
            engine=stage.boot_engine(),
            watch=RunWatch(stage.log),
            exit_on_apply=False,
            log=stage.log,
        )
        self.system = System(self.context, self._events.put)

    def start(self) -> None:
        self.system.start({})
        self.next(TreeIsUp)

    def next(self, kind: type[Event]) -> Event:
        """Return the next event of a kind; those of other kinds can be asked for later."""
        for event in self._passed_over:
            if isinstance(event, kind):
                self._passed_over.remove(event)
                return event
        while not isinstance(event := self._events.get(timeout=DEADLINE_S), kind):
            self._passed_over.append(event)
        return event

    def tell(self, name: str, *messages: object) -> None:
        """Tell, and wait until config control and all it sets off have come to rest."""
        for message in messages:
            self.system.directory.tell(name, message)
        for _ in range(4):
            self.system.config()
            for actor in (RECONCILER, MARKER_STORE):
                self.system.directory.ask(actor, HARMLESS[actor], timeout_s=TRAP_S)

    def release(self) -> None:
        (self.stage.home.root / "release").touch()

    def starts(self) -> int:
        try:
            return (self.stage.home.root / "starts").read_text().count("start")
        except FileNotFoundError:
            return 0

    def passes(self) -> list[str]:
        return [str(line["hyp_reason"]) for line in self.stage.events("daemon.reconcile_pass")]


@pytest.fixture
def tree(stage: Stage) -> Iterator[Tree]:
    with no_child_left():
        tree = Tree(stage)
        yield tree
        tree.release()
        try:
            eventually(lambda: not tree.system.busy_runners())
        finally:
            assert tree.system.stop(TRAP_S) == ()


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
    tree.system._watch.close()
    tree.system._timers.close()


def test_the_handlers_are_backfill_alone(unstarted: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """client-actions D35, as contract §1 has it; read from what the reconciler is given."""
    handlers = built(unstarted, monkeypatch, RECONCILER, Reconciler)["handlers"]
    assert [type(handler) for handler in handlers] == [BackfillHandler]
    assert [handler.kind for handler in handlers] == ["backfill"]


def test_a_pass_sees_the_home_that_the_daemon_booted_from(
    unstarted: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """client-actions D34: whatever ``HYP_HOME`` says in its own environment."""
    environ = built(unstarted, monkeypatch, RECONCILER, Reconciler)["environ"]
    assert environ["HYP_HOME"] == str(unstarted.stage.home.root)
    assert environ["PATH"] == os.environ["PATH"]


def test_actors_start_in_order_and_a_runner_for_each_provider_that_is_enabled(
    tree: Tree,
) -> None:
    tree.stage.join({"name": KEY, "config": {"backfill": {"on_join": False}}})
    tree.start()
    tree.tell(CONFIG_CONTROL)
    eventually(lambda: all(c.state is ChildState.RUNNING for c in tree.system.children()))
    names = [MARKER_STORE, CONFIG_CONTROL, RECONCILER, CONTROL_ENDPOINT, RUNNER]
    assert [child.name for child in tree.system.children()] == names
    assert tree.next(Settled) == Settled(())

    tree.stage.join(
        {"name": KEY, "config": {"backfill": {"on_join": False}}},
        {"name": "@hypaware/codex", "config": {"backfill": {"on_join": False}}},
    )
    for _ in range(2):
        tree.tell(CONFIG_CONTROL, ReloadRequested())
    eventually(lambda: tree.system.runners() == [RUNNER, "backfill:codex"])
    assert [child.name for child in tree.system.children()] == [*names, "backfill:codex"]


@pytest.mark.process
def test_a_confirmed_machine_makes_one_pass_at_boot_and_imports(tree: Tree) -> None:
    """client-actions D31, and issue 2's main job in one process."""
    tree.stage.join()
    tree.release()
    tree.start()
    assert tree.next(Settled) == Settled(())
    assert tree.passes() == ["boot-already-confirmed"]
    assert tree.stage.marker()["rows"] == 42
    assert tree.starts() == 1


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
        eventually(lambda: not first.system.busy_runners())
        assert first.system.stop(TRAP_S) == ()
        before = stage.marker()
        [run] = stage.runs().runs()
        record = json.loads((run.path / "run.json").read_bytes())
        (run.path / "run.json").write_text(json.dumps({**record, "state": "starting"}))
        second = Tree(stage)
        second.start()
        second.next(Settled)
        eventually(lambda: stage.runs().unsettled() == [])
        eventually(lambda: not second.system.busy_runners())
        assert second.system.stop(TRAP_S) == ()
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
