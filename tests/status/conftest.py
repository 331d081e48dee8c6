"""Homes as the other client leaves them, and a report of what is in a home."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.actions import ProviderRef
from hypactors.paths import HypHome
from hypactors.status import LiveState, collect_report

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parents[1] / "data" / "config-control"
CLAUDE = ProviderRef("claude", "@hypaware/claude")


class Machine:
    """One home, and how a test fills it and asks for its report."""

    def __init__(self, home: HypHome) -> None:
        self.home = home
        home.control_dir.mkdir(parents=True)

    def take_golden(self, name: str) -> dict[str, Any]:
        """Lay out a golden state; return the report that the other client made of it."""
        source = GOLDEN / name
        shutil.copytree(source / "config-control", self.home.control_dir, dirs_exist_ok=True)
        text = self.home.control_dir / "active.symlink"
        if text.exists():
            self.home.active_link.symlink_to(text.read_text())
            text.unlink()
        report: dict[str, Any] = json.loads((source / "status.json").read_text())
        return report

    def join(self, *plugins: dict[str, Any], **sections: Any) -> None:
        self._write(self.home.seed_file, {"version": 2, "plugins": plugins, **sections})

    def configure(self, *plugins: dict[str, Any], **sections: Any) -> None:
        """Write the local layer."""
        document = {"version": 2, "plugins": plugins, **sections}
        self._write(self.home.default_local_config, document)

    def mark(self, markers: object) -> None:
        self._write(self.home.marker_file, markers)

    def report(self, *providers: ProviderRef, live: LiveState | None = None) -> dict[str, Any]:
        """Return the report as a reader of ``--json`` gets it."""
        report = collect_report(self.home, {}, providers=providers or (CLAUDE,), live=live)
        plain: dict[str, Any] = json.loads(json.dumps(report))
        return plain

    @staticmethod
    def _write(path: Path, value: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(HypHome(tmp_path / "home with späce"))


@pytest.fixture
def files_below() -> Callable[[Path], dict[str, bytes | None]]:
    """Return a function that takes down all names and contents below a folder."""

    def take(folder: Path) -> dict[str, bytes | None]:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))
        }

    return take
