"""Homes as the other client leaves them, and homes made up for a test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hypactors.paths import HypHome
from tests.faults.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parents[1] / "data" / "config-control"


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    home = HypHome(tmp_path / "home with späce")
    home.control_dir.mkdir(parents=True)
    return home


@pytest.fixture
def machine(home: HypHome) -> Machine:
    """Return a machine that has joined and booted."""
    machine = Machine(home)
    machine.join()
    machine.boot()
    return machine


@pytest.fixture
def golden_home(home: HypHome) -> Callable[[str], HypHome]:
    """Return a function that fills the home with one of the golden states."""

    def fill(name: str) -> HypHome:
        source = GOLDEN / name / "config-control"
        shutil.copytree(source, home.control_dir, dirs_exist_ok=True)
        text = home.control_dir / "active.symlink"
        if text.exists():
            home.active_link.symlink_to(text.read_text())
            text.unlink()
        return home

    return fill
