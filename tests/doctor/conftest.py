from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypactors.paths import HypHome

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    home = HypHome(tmp_path / "hyp")
    home.run_dir.mkdir(parents=True, mode=0o700)
    home.control_dir.mkdir(mode=0o700)
    home.state_root.chmod(0o700)
    return home
