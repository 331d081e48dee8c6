"""Which cache there is, told from its catalogue."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

CATALOG_FILE = "catalog.db"
_TABLE = "ai_gateway_messages"
_BUSY_S = 1.0


class _Metadata(msgspec.Struct):
    table_uuid: str = msgspec.field(name="table-uuid")


def metadata_location(lake_dir: Path) -> str | None:
    """Return where the table's current metadata is; None when nothing was ever imported.

    Raises ``OSError`` when the catalogue cannot be read.
    """
    path = lake_dir / CATALOG_FILE
    if not path.exists():
        return None
    try:
        # Read only, so that a catalogue that was deleted a moment ago is not made anew.
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
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


def cache_id(lake_dir: Path) -> str | None:
    """Return the id of the table, None when there is none.

    A cache that was deleted and made anew has another. Raises ``OSError`` when it cannot be told.
    """
    location = metadata_location(lake_dir)
    if location is None:
        return None
    try:
        with open(location.removeprefix("file://"), "rb") as stream:  # noqa: PTH123 - a location
            return msgspec.json.decode(stream.read(), type=_Metadata).table_uuid
    except ValueError as error:
        raise OSError(f"{location}: {error}") from error
