"""Which cache there is and how far it goes, told from its catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from hypactors.lake._lake import Lake

CATALOG_FILE = "catalog.db"
NEXT_SEQ = "hyp.next-ingest-seq"
"""A table property, so that it is committed with the rows and outlives every snapshot."""

_TABLE = "ai_gateway_messages"
_BUSY_S = 1.0


@dataclass(frozen=True, slots=True)
class CacheEnd:
    """Which table there is, and the highest number that it has given to a row."""

    cache_id: str
    seq: int


class _Properties(msgspec.Struct):
    next_seq: str = msgspec.field(name=NEXT_SEQ, default="1")


class _Metadata(msgspec.Struct):
    table_uuid: str = msgspec.field(name="table-uuid")
    properties: _Properties = msgspec.field(default_factory=_Properties)


def metadata_location(lake_dir: Path, *, patience_s: float = _BUSY_S) -> str | None:
    """Return where the table's current metadata is; None when nothing was ever imported.

    Raises ``OSError`` when the catalogue cannot be read, or is written to for too long.
    """
    path = lake_dir / CATALOG_FILE
    if not path.exists():
        return None
    import sqlite3  # noqa: PLC0415 - `hyp status` looks into no cache

    try:
        # Read only, so that a catalogue that was deleted a moment ago is not made anew.
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=patience_s)
        try:
            row = connection.execute(
                "SELECT metadata_location FROM iceberg_tables WHERE table_name = ?", (_TABLE,)
            ).fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        if "no such table" in str(error):  # the first import makes it at this moment
            return None
        raise OSError(f"{path}: {error}") from error
    return None if row is None else str(row[0])


def cache_id(lake: Lake) -> str | None:
    """Return the id of the cache, None when there is none yet.

    A cache that was deleted and made anew has another. A shared catalogue is not asked: it is known
    by its place. Raises ``OSError`` when it cannot be told.
    """
    if lake.is_shared:
        return lake.shared_id
    end = cache_end(lake.folder)
    return None if end is None else end.cache_id


def cache_end(lake_dir: Path, *, patience_s: float = _BUSY_S) -> CacheEnd | None:
    """Say how far the table goes; None when nothing was ever imported.

    Raises ``OSError`` when it cannot be told.
    """
    location = metadata_location(lake_dir, patience_s=patience_s)
    if location is None:
        return None
    try:
        with open(location.removeprefix("file://"), "rb") as stream:  # noqa: PTH123 - a location
            metadata = msgspec.json.decode(stream.read(), type=_Metadata)
        return CacheEnd(metadata.table_uuid, int(metadata.properties.next_seq) - 1)
    except ValueError as error:
        raise OSError(f"{location}: {error}") from error
