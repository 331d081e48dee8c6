"""Passes over a real marker file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypactors.clock import ManualClock
from hypactors.paths import HypHome
from tests.actions.fakes import PassDriver

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path / "hyp home ü")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def driver(home: HypHome, clock: ManualClock) -> PassDriver:
    return PassDriver(home, clock)
