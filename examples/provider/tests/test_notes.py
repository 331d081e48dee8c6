"""The provider keeps what every provider promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypactors_notes import PROVIDER

from hypactors.providers.testing import check_provider

if TYPE_CHECKING:
    from pathlib import Path


def history(home: Path) -> dict[str, str]:
    folder = home / ".notes"
    folder.mkdir()
    for session in ("monday", "tuesday"):
        notes = [
            {
                "id": f"{session}-{minute}",
                "at": f"2026-11-01T08:{minute:02d}:00Z",
                "from": "user" if minute % 2 else "agent",
                "text": f"note {minute}",
            }
            for minute in range(20)
        ]
        lines = "".join(json.dumps(note) + "\n" for note in notes)
        (folder / f"{session}.jsonl").write_text(lines)
    return {"HOME": str(home)}


def test_the_provider_keeps_its_promises(tmp_path: Path) -> None:
    check_provider(PROVIDER, history, tmp_path)
