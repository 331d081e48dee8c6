"""Find the transcripts and the sidecars of subagents (import §2.1)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from hypactors.providers._blocks import text_or_none
from hypactors.providers._json import scrub
from hypactors.providers.files import configured_folder, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_SIDECAR = re.compile(r"agent-(.+)\.meta\.json")
# A sidecar holds three short strings; what is larger is something else.
_MAX_SIDECAR_BYTES = 1 << 20


def projects_root(environ: Mapping[str, str]) -> Path:
    """Return the folder of transcripts: ``CLAUDE_CONFIG_DIR`` decides, then the home."""
    return configured_folder(environ, "CLAUDE_CONFIG_DIR", ".claude") / "projects"


def spawning_calls(files: Iterable[Path]) -> dict[str, str]:
    """Map a subagent's id to the tool call in the parent thread that started it.

    A sidecar that cannot be read, or does not say, is left out.
    """
    calls: dict[str, str] = {}
    for path in files:
        match = _SIDECAR.fullmatch(path.name)
        if match is None:
            continue
        try:
            with open_regular(path) as stream:
                sidecar = json.loads(stream.read(_MAX_SIDECAR_BYTES))
        except (OSError, ValueError, RecursionError):
            continue
        call = text_or_none(sidecar.get("toolUseId")) if isinstance(sidecar, dict) else None
        if call is not None:
            calls[match[1]] = scrub(call)
    return calls
