"""What there is to query, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypactors.dataset import COLUMNS, DATASET
from hypactors.dataset.meanings import MEANINGS
from hypactors.sql._query import SQL_TYPES, iso_text, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypactors.lake import Lake


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column as SQL sees it."""

    name: str
    type: str
    is_required: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class ClientRows:
    """How many rows one client has. Times are ISO-8601 in UTC."""

    client: str
    rows: int
    sessions: int
    first_at: str
    last_at: str


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """One dataset. Files and bytes are None where a catalogue keeps them elsewhere."""

    name: str
    rows: int
    files: int | None
    size_bytes: int | None
    clients: Sequence[ClientRows]


def columns() -> list[ColumnInfo]:
    return [
        ColumnInfo(each.name, SQL_TYPES[each.kind], each.is_required, MEANINGS[each.name])
        for each in COLUMNS
    ]


def datasets(lake: Lake, *, timeout_s: float | None = None) -> list[DatasetInfo]:
    """Return what there is. Raises ``HypError`` when the cache cannot be read."""
    with opened(lake, timeout_s=timeout_s) as cache:
        first, last = (
            iso_text(f"make_timestamp(epoch_us({which}(message_created_at)))")
            for which in ("min", "max")
        )
        rows = cache.all(
            "SELECT coalesce(client_name, '(unknown)'), count(*), count(DISTINCT session_id),"
            f" {first}, {last} FROM {DATASET} GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        clients = [ClientRows(*row) for row in rows]
        files = cache.files
        return [
            DatasetInfo(
                name=DATASET,
                rows=sum(client.rows for client in clients),
                files=None if lake.properties else len(files),
                size_bytes=None if lake.properties else sum(map(_size, files)),
                clients=clients,
            )
        ]


def _size(file: str) -> int:
    return Path(file).stat().st_size
