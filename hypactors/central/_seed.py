"""The seed: the central layer of a machine that has joined and not polled yet (central §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hypactors.central._sinks import CENTRAL_PLUGIN
from hypactors.files import ensure_private_dir, write_atomic

if TYPE_CHECKING:
    from hypactors.paths import HypHome


def seed_document(url: str, token: str) -> bytes:
    """Return the seed as the other client writes it."""
    document = {
        "version": 2,
        "plugins": [{"name": CENTRAL_PLUGIN}],
        "sinks": {
            "central": {
                "plugin": CENTRAL_PLUGIN,
                "config": {"url": url, "identity": {"bootstrap_token": token}},
            }
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def write_seed(home: HypHome, seed: bytes) -> None:
    """Put the seed, which holds a token, on disk for its owner alone. Raises ``OSError``."""
    ensure_private_dir(home.control_dir)
    write_atomic(home.seed_file, seed)
