"""A lab for runs, and a home to have them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypactors.paths import HypHome
from tests.processes.lab import RunLab, no_child_left

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path / "hyp home ü")


@pytest.fixture
def lab(home: HypHome) -> Iterator[RunLab]:
    with no_child_left():
        lab = RunLab(home)
        yield lab
        lab.watch.close()
