"""What could not be sent: rows that a server will never take, and a note of each failed export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hypactors.clock import iso_ms
from hypactors.files import ensure_private_dir, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hypactors.paths import HypHome

MOST_BYTES = 64 * 1024 * 1024
"""How much is kept of what was refused; beyond it is only counted. The cache has it anyway."""

KEPT_FAILURES = 20


class Outbox:
    """The outbox of one sink; for its owner alone, as it holds history."""

    def __init__(self, home: HypHome, sink: str) -> None:
        self.path = home.sink_dir(sink) / "outbox"
        self._sink = sink

    def set_aside(self, batch_id: str, lines: Sequence[bytes], reason: str, now: datetime) -> bool:
        """Keep rows with the server's reason; say whether there was room for them.

        The first line of a file says why, the rows follow.
        """
        head = {"batchId": batch_id, "sinkInstance": self._sink, "reason": reason}
        told = msgspec.json.encode({**head, "rows": len(lines), "recordedAt": iso_ms(now)})
        content = b"".join(line + b"\n" for line in (told, *lines))
        ensure_private_dir(self.path)
        kept = sum(path.stat().st_size for path in self.path.glob("refused-*.ndjson"))
        if kept + len(content) > MOST_BYTES:
            return False
        write_atomic(self.path / f"refused-{batch_id}.ndjson", content)
        return True

    def note_failure(
        self, export_id: str, error: str, datasets: Sequence[str], now: datetime
    ) -> None:
        """Note an export that failed (central §4.1); the newest few are kept."""
        ensure_private_dir(self.path)
        note = {
            "batchId": export_id,
            "sinkInstance": self._sink,
            "plugin": "@hypaware/central",
            "recordedAt": iso_ms(now),
            "error": error,
            "partitions": list(datasets),
        }
        write_atomic(self.path / f"{export_id}.json", msgspec.json.encode(note) + b"\n")
        notes = sorted(self.path.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in notes[:-KEPT_FAILURES]:
            path.unlink(missing_ok=True)
