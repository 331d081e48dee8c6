"""Find the rollouts, and what clients of the same maker keep elsewhere (import §2.2)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypactors.paths import user_home
from hypactors.providers._protocol import Notice
from hypactors.providers.files import configured_folder, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hypactors.providers._findings import Findings

_SUFFIXES = (".jsonl", ".json")
_DESKTOP = "codex_desktop_app"
_UNSUPPORTED = (
    ("Library/Application Support/ChatGPT", "chatgpt_desktop_app"),
    (".config/ChatGPT", "chatgpt_desktop_app"),
    ("Library/Application Support/Codex", _DESKTOP),
)


def sessions_root(environ: Mapping[str, str]) -> Path:
    """Return the folder of rollouts: ``CODEX_HOME`` decides, then the home."""
    return configured_folder(environ, "CODEX_HOME", ".codex") / "sessions"


def rollouts(root: Path, findings: Findings) -> list[Path]:
    """Return every rollout below ``root``, sorted by its path."""
    return sorted(
        (
            path
            for path in walk(root, findings)
            if path.name.startswith("rollout-") and path.name.endswith(_SUFFIXES)
        ),
        key=os.fsencode,
    )


def unsupported_locations(environ: Mapping[str, str]) -> Iterator[Notice]:
    """Yield a notice for each place whose history cannot be read."""
    home = user_home(environ)
    for place, kind in _UNSUPPORTED:
        if os.path.isdir(home / place):  # noqa: PTH112 - never raises
            attributes = {"client_name": "codex", "location_kind": kind, "path": str(home / place)}
            if kind == _DESKTOP:
                attributes["covered_by"] = "gateway_live,codex_sessions_rollout"
            yield Notice("unsupported_location", attributes)
