"""Which files the table consists of, as it was last worked out, so that a query is quick.

Working it out takes pyiceberg half a second of loading. A table's metadata file never changes once
it is written, so that what was worked out from it stays true for as long as it is the current one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hypactors.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FILE = "plan.json"


class _Plan(msgspec.Struct, frozen=True):
    metadata: str
    files: list[str]


def keep_plan(folder: Path, metadata: str, files: Sequence[str]) -> None:
    """Remember the files that a table has by this metadata file. Raises ``OSError``."""
    write_atomic(folder / _FILE, msgspec.json.encode(_Plan(metadata, list(files))))


def kept_plan(folder: Path, metadata: str) -> list[str] | None:
    """Return the files that a table has by this metadata file; None when nobody remembers."""
    try:
        plan = msgspec.json.decode((folder / _FILE).read_bytes(), type=_Plan)
    except (OSError, ValueError):
        return None
    return plan.files if plan.metadata == metadata else None
