"""A whole tree under one config after another; only the server and the imports are played."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from hypactors.actors._names import CONFIG_CONTROL, MARKER_STORE, RECONCILER
from hypactors.actors._reconciler_states import Settled
from hypactors.config import running_etag
from hypactors.messages import ConfigChanged
from hypactors.supervision import ChildState
from tests.actors.served import entry, plant_seed, served, state_of
from tests.actors.stage import CLAUDE, KEY, RUNNER, TRAP_S, Stage
from tests.actors.tree import CODEX, CODEX_RUNNER, Tree
from tests.processes.lab import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypactors.config import ConfigDocument, Layers
    from hypactors.processes import RunFolder
    from tests.actors.imports import PlayedImports
    from tests.actors.stage import Mailbox

BOTH = (entry(CLAUDE.plugin), entry(CODEX.plugin))


@pytest.fixture
def tree(stage: Stage, imports: PlayedImports) -> Iterator[Tree]:
    """Boot on a seed without a plugin, as after a join."""
    plant_seed(stage.home)
    tree = Tree(stage, imports)
    yield tree
    tree.stop()


@pytest.fixture
def link(tree: Tree) -> Mailbox:
    tree.start()
    return tree.link_up()


def runners(tree: Tree) -> dict[str, ChildState]:
    return {c.name: c.state for c in tree.system.children() if c.name.startswith("backfill:")}


def started(imports: PlayedImports, *providers: str) -> list[RunFolder]:
    """Wait until the imports of these providers, and no others, have been started."""
    eventually(lambda: len(imports.started) >= len(providers))
    records = [folder.record() for folder in imports.started]
    assert [record and record.provider for record in records] == list(providers)
    return imports.started


def has_restarted(tree: Tree, name: str) -> bool:
    return name in {line["child"] for line in tree.stage.events("actor_restarted")}


def recorded(tree: Tree, key: str) -> None:
    eventually(lambda: tree.stage.marker(key=key).get("status") == "done")


def test_a_sequence_of_documents(tree: Tree, link: Mailbox, imports: PlayedImports) -> None:
    """config-control 13, 18, 21, 22, 26, 27, 29, 36: applied, confirmed, refused, rolled back."""
    # A: on trial nothing is performed; the poll that confirms it is the one edge.
    assert tree.serve(link, served(entry()), "A").action == "applied"
    assert imports.started == []
    tree.poll()
    started(imports, "claude")
    imports.end()
    recorded(tree, KEY)
    tree.poll()
    assert tree.passes() == ["boot-already-confirmed", "confirm-edge"]

    # B: what runs is A, before and after.
    refused = tree.serve(link, served(entry(on_join="false")), "B")
    assert refused.error_kind == "config_invalid"
    assert running_etag(tree.stage.home) == "A"

    # C: a provider more; what is done stays done.
    assert tree.serve(link, served(*BOTH), "C").action == "applied"
    assert len(imports.started) == 1
    tree.poll()
    [_, codex] = started(imports, "claude", "codex")

    # D: that provider leaves while it imports. The import is not disturbed, nothing waits for it.
    assert tree.serve(link, served(entry()), "D").action == "applied"
    tree.poll()
    assert tree.system.config().is_confirmed
    assert runners(tree)[CODEX_RUNNER] is ChildState.RUNNING
    imports.end(folder=codex)
    recorded(tree, CODEX.plugin)
    eventually(lambda: runners(tree)[CODEX_RUNNER] is ChildState.STOPPED)
    assert tree.system.busy_runners() == []

    # E: never confirmed. D comes back, and E is not tried again.
    assert tree.serve(link, served(*BOTH), "E").action == "applied"
    tree.pass_window()
    assert running_etag(tree.stage.home) == "D"
    assert tree.system.config().is_confirmed
    assert state_of(tree.stage.home)["bad_etag"]["etag"] == "E"
    assert tree.serve(link, served(*BOTH), "E").action == "skipped_bad_etag"
    assert tree.serve(link, served(entry()), "D").action == "noop_same_etag"

    # F: the provider is back, has a runner again, and has done what is asked for.
    assert tree.serve(link, served(*BOTH), "F").action == "applied"
    tree.poll()
    eventually(lambda: runners(tree)[CODEX_RUNNER] is ChildState.RUNNING)
    assert tree.next(Settled) == Settled(())
    assert len(imports.started) == 2
    asked = [line["hyp_reason"] for line in tree.stage.events("daemon.restart_completed")]
    assert asked == ["config_applied"] * 4 + ["probation_expired", "config_applied"]
    assert tree.stage.events("actor_crashed") == []


def test_a_long_import_delays_no_config_and_lets_none_expire(
    tree: Tree, link: Mailbox, imports: PlayedImports
) -> None:
    """A config that comes during it is applied and confirmed, and its outcome kept."""
    tree.serve(link, served(entry()), "A")
    tree.poll()
    [run] = started(imports, "claude")
    for number in range(5):
        etag = f"B{number}"
        document = served(entry(window_days=number + 1), poll_s=60)
        assert tree.serve(link, document, etag).action == "applied"
        tree.pass_window(179)
        tree.poll()
        assert running_etag(tree.stage.home) == etag
        assert tree.system.config().is_confirmed
        tree.pass_window(10_000)
    assert running_etag(tree.stage.home) == "B4"
    assert "bad_etag" not in state_of(tree.stage.home)
    imports.end()
    recorded(tree, KEY)
    assert tree.stage.marker()["run_id"] == run.run_id
    started(imports, "claude")
    eventually(lambda: tree.stage.newest_run() == ("settled", "done"))


@pytest.mark.parametrize("ends", ["under trial", "after the rollback"])
def test_an_import_that_runs_across_a_rollback_is_recorded(
    tree: Tree, link: Mailbox, imports: PlayedImports, ends: str
) -> None:
    """Contract §7: outcomes are matched by run id, and taken whatever config runs."""
    tree.serve(link, served(*BOTH), "A")
    tree.poll()
    eventually(lambda: len(imports.started) == 2)
    tree.serve(link, served(), "B")
    if ends == "after the rollback":
        tree.pass_window()
        assert running_etag(tree.stage.home) == "A"
    for run in imports.started:
        imports.end(folder=run)
    recorded(tree, KEY)
    recorded(tree, CODEX.plugin)
    if ends == "under trial":
        eventually(lambda: set(runners(tree).values()) == {ChildState.STOPPED})
        tree.pass_window()
    tree.poll()
    eventually(lambda: set(runners(tree).values()) == {ChildState.RUNNING})
    assert len(imports.started) == 2


def test_an_import_that_failed_is_tried_again_under_the_config_that_runs_then(
    tree: Tree, link: Mailbox, imports: PlayedImports
) -> None:
    """On trial it waits: a retry is no edge."""
    tree.serve(link, served(entry()), "A")
    tree.poll()
    started(imports, "claude")
    tree.serve(link, served(entry(window_days=2)), "B")
    imports.end(1)
    eventually(lambda: tree.stage.marker().get("status") == "failed")
    tree.tell(CONFIG_CONTROL)
    started(imports, "claude")
    tree.poll()
    [_, second] = started(imports, "claude", "claude")
    record = second.record()
    assert record is not None
    assert record.since is not None
    imports.end()
    recorded(tree, KEY)


def test_a_config_may_come_whatever_crashes(
    tree: Tree, link: Mailbox, imports: PlayedImports
) -> None:
    """Every actor dies once between apply and confirmation: the edge still performs."""
    tree.serve(link, served(entry()), "A")
    eventually(lambda: runners(tree) == {RUNNER: ChildState.RUNNING})
    for victim in (MARKER_STORE, CONFIG_CONTROL, RECONCILER, RUNNER):
        tree.system.directory.tell(victim, object())
        eventually(partial(has_restarted, tree, victim))
    assert imports.started == []
    tree.poll()
    started(imports, "claude")
    imports.end()
    recorded(tree, KEY)


class HeldUp:
    """Layers that take as long to look at as the test likes, as a spawn or an fsync may."""

    def __init__(self, layers: Layers, gate: threading.Event) -> None:
        self._layers = layers
        self._gate = gate

    @property
    def effective(self) -> ConfigDocument | None:
        self._gate.wait(TRAP_S)
        return self._layers.effective


def test_a_provider_that_comes_back_while_its_runner_leaves_has_a_runner(
    tree: Tree, link: Mailbox, imports: PlayedImports
) -> None:
    """What it was told meanwhile goes with its mailbox: the next runner is given it again."""
    codex = entry(CODEX.plugin, on_join=False)
    tree.serve(link, served(codex), "A")
    tree.poll()
    eventually(lambda: runners(tree) == {CODEX_RUNNER: ChildState.RUNNING})

    gate = threading.Event()
    held_up = cast("Layers", HeldUp(tree.system.config().layers, gate))
    tree.system.directory.tell(CODEX_RUNNER, ConfigChanged(held_up, is_confirmed=True))
    tree.serve(link, served(), "B")
    tree.poll()
    tree.serve(link, served(entry(CODEX.plugin)), "C")
    tree.poll()
    gate.set()

    started(imports, "codex")
    imports.end()
    recorded(tree, CODEX.plugin)
    assert runners(tree) == {CODEX_RUNNER: ChildState.RUNNING}
    started(imports, "codex")
