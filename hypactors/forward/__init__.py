"""Sending rows to a central server: marks, batches, what is refused, and what is held back.

It knows neither actors nor the table: rows come from a ``Source``.
"""

from hypactors.forward._backlog import Backlog, backlog
from hypactors.forward._chunks import MOST_BYTES, MOST_ROWS, Chunk, Row, chunks
from hypactors.forward._export import ExportResult, Sent, Source, Way, export
from hypactors.forward._hold import (
    Fleets,
    ForeignRows,
    Hold,
    describe_until,
    drop_past_hold,
    local_now,
    read_first_sync_hold,
    release_hold,
    write_first_sync_hold,
)
from hypactors.forward._marks import Mark, Marks
from hypactors.forward._outbox import Outbox
from hypactors.forward._poster import Poster, PostFailedError, StoppedError, Verdict
from hypactors.forward._status import (
    SinkStatus,
    cache_stamp,
    read_sink_status,
    write_sink_status,
)

__all__ = [
    "MOST_BYTES",
    "MOST_ROWS",
    "Backlog",
    "Chunk",
    "ExportResult",
    "Fleets",
    "ForeignRows",
    "Hold",
    "Mark",
    "Marks",
    "Outbox",
    "PostFailedError",
    "Poster",
    "Row",
    "Sent",
    "SinkStatus",
    "Source",
    "StoppedError",
    "Verdict",
    "Way",
    "backlog",
    "cache_stamp",
    "chunks",
    "describe_until",
    "drop_past_hold",
    "export",
    "local_now",
    "read_first_sync_hold",
    "read_sink_status",
    "release_hold",
    "write_first_sync_hold",
    "write_sink_status",
]
