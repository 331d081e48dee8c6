from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from hypactors.actors._names import RECONCILER
from hypactors.messages import RunnerReady
from hypactors.paths import HypHome
from tests.actors.imports import PlayedImports, live_again
from tests.actors.neighbours import Neighbours
from tests.actors.served import plant_seed
from tests.actors.stage import RUNNER, TRAP_S, Mailbox, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path / "hyp home ü")


@pytest.fixture
def stage(home: HypHome) -> Iterator[Stage]:
    before = set(threading.enumerate())
    stage = Stage(home)
    yield stage
    stage.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(TRAP_S)
        assert not thread.is_alive(), f"{thread} was left behind"


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedImports]:
    imports = PlayedImports(monkeypatch)
    yield imports
    imports.close()


@pytest.fixture
def reconciler(stage: Stage, imports: PlayedImports) -> Mailbox:
    """Stand in for the reconciler of a runner that has just started for the first time."""
    mailbox = stage.stand_in(RECONCILER)
    live_again(stage, imports)
    assert mailbox.next(RunnerReady) == RunnerReady(RUNNER)
    return mailbox


@pytest.fixture
def near(stage: Stage) -> Neighbours:
    """Boot on a seed, as after a join."""
    plant_seed(stage.home)
    near = Neighbours(stage)
    stage.start_config_control()
    near.forget()
    return near
