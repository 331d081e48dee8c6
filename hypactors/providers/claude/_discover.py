"""Find the transcripts and the sidecars of subagents (import §2.1)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hypactors.paths import user_home
from hypactors.providers._blocks import text_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SIDECAR = re.compile(r"agent-(.+)\.meta\.json")
# A sidecar holds three short strings; what is larger is something else.
_MAX_SIDECAR_BYTES = 1 << 20


def projects_root(environ: Mapping[str, str]) -> Path:
    """Return the folder of transcripts: ``CLAUDE_CONFIG_DIR`` decides, then the home."""
    configured = environ.get("CLAUDE_CONFIG_DIR")
    base = Path(configured).expanduser() if configured else user_home(environ) / ".claude"
    return base / "projects"


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
            with path.open("rb") as stream:
                sidecar = json.loads(stream.read(_MAX_SIDECAR_BYTES))
        except (OSError, ValueError, RecursionError):
            continue
        call = text_or_none(sidecar.get("toolUseId")) if isinstance(sidecar, dict) else None
        if call is not None:
            calls[match[1]] = call
    return calls
