"""Documents as a server serves them, and a home that has just joined."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.actors.stage import CLAUDE

if TYPE_CHECKING:
    from hypactors.paths import HypHome

WINDOW_S = 900.0
"""How long a document without a word on polls is tried."""


def entry(plugin: str = CLAUDE.plugin, **backfill: object) -> dict[str, Any]:
    """Return a plugin entry; ``backfill`` is its block."""
    return {"name": plugin, "config": {"backfill": backfill}} if backfill else {"name": plugin}


def served(*plugins: dict[str, Any], poll_s: float | None = None) -> bytes:
    """Return a document, with a central sink when a poll interval is given."""
    document: dict[str, Any] = {"version": 2, "plugins": list(plugins)}
    if poll_s is not None:
        config = {"url": "https://fleet.example", "poll_interval_seconds": poll_s}
        document["sinks"] = {"central": {"plugin": "@hypaware/central", "config": config}}
    return json.dumps(document).encode()


def plant_seed(home: HypHome, *plugins: dict[str, Any]) -> None:
    """Leave what a join leaves: a seed, and no slot."""
    home.control_dir.mkdir(parents=True, exist_ok=True)
    home.seed_file.write_bytes(served(*plugins))


def state_of(home: HypHome) -> dict[str, Any]:
    """Return ``state.json``."""
    state: dict[str, Any] = json.loads(home.state_file.read_bytes())
    return state
