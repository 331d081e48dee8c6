"""How far each fleet has been sent the rows of each cache (central §5.4, contract §9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.clock import iso_ms
from hypactors.files import ensure_private_dir, read_if_present, remove, write_atomic
from hypactors.paths import segment

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from hypactors.paths import HypHome

_DIGITS = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Mark:
    """Every row up to ``seq`` has been dealt with; ``rows`` of them were sent."""

    seq: int
    rows: int = 0


class Marks:
    """The marks of one sink, dataset and fleet: one file for each cache that there has been.

    They are keyed by what is lasting: the fleet and the table's own id, not by where files lie.
    """

    def __init__(self, home: HypHome, *, sink: str, dataset: str, fleet: str) -> None:
        self._folder = home.sink_dir(sink) / "watermarks" / segment(dataset) / segment(fleet)

    def path(self, cache_id: str) -> Path:
        return self._folder / f"{segment(cache_id)}.json"

    def read(self, cache_id: str) -> Mark | None:
        """Return the mark, or None for one that is not there or cannot be used: all is sent again.

        The server drops what it has, so that reading too little is safe and too much is not.
        """
        try:
            fields: Any = msgspec.json.decode(read_if_present(self.path(cache_id)) or b"null")
            seq = fields["continuation"]["seq"]
            rows = fields.get("exportedRowCount", 0)
            is_mark = fields["v"] == fields["continuation"]["v"] == 1
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        if not is_mark or not isinstance(seq, str) or not _DIGITS.fullmatch(seq):
            return None
        return Mark(int(seq), rows if isinstance(rows, int) and rows >= 0 else 0)

    def write(self, cache_id: str, mark: Mark, now: datetime) -> None:
        """Move the mark. Raises ``ValueError`` for an impossible one before anything is written."""
        if not _DIGITS.fullmatch(str(mark.seq)):
            raise ValueError(f"{mark.seq} is no number of a row")
        ensure_private_dir(self._folder)
        record = {
            "v": 1,
            "continuation": {"v": 1, "seq": str(mark.seq)},
            "exportedRowCount": mark.rows,
            "updatedAt": iso_ms(now),
        }
        write_atomic(self.path(cache_id), msgspec.json.encode(record) + b"\n")

    def forget(self, cache_id: str) -> bool:
        """Begin from the first row again; say whether there was a mark."""
        return remove(self.path(cache_id)) if self.path(cache_id).exists() else False
