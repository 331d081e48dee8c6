"""What is in the cache: its rows by client, and the files that they are in."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - msgspec reads the annotations
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hypactors.dataset import DATASET
from hypactors.errors import HypError
from hypactors.sql._query import iso_or_none, open_cache

if TYPE_CHECKING:
    from hypactors.lake import Lake

QUESTION = f"""
    select client_name, count(*), count(distinct session_id),
        min(message_created_at)::timestamp, max(message_created_at)::timestamp
    from {DATASET} group by 1 order by 2 desc, 1"""


class ClientRows(msgspec.Struct, frozen=True):
    client: str | None
    rows: int
    sessions: int
    first_at: str | None
    last_at: str | None


class DatasetInfo(msgspec.Struct, frozen=True):
    """``files`` and ``bytes`` are None where a catalogue keeps the files elsewhere."""

    name: str
    rows: int
    sessions: int
    files: int | None
    bytes: int | None
    first_at: str | None
    last_at: str | None
    clients: Sequence[ClientRows]


def datasets(lake: Lake, *, timeout_s: float | None = None) -> list[DatasetInfo]:
    """Return the datasets that there are; none before the first import."""
    with open_cache(lake, timeout_s=timeout_s) as cache:
        if not cache.has_table:
            return []
        clients = [
            ClientRows(client, rows, sessions, iso_or_none(first), iso_or_none(last))
            for client, rows, sessions, first, last in cache.ask(QUESTION)
        ]
        return [
            DatasetInfo(
                name=DATASET,
                rows=sum(each.rows for each in clients),
                sessions=sum(each.sessions for each in clients),
                files=None if cache.files is None else len(cache.files),
                bytes=None if cache.files is None else sum(map(_size, cache.files)),
                first_at=min((each.first_at for each in clients if each.first_at), default=None),
                last_at=max((each.last_at for each in clients if each.last_at), default=None),
                clients=clients,
            )
        ]


def _size(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except OSError as error:
        raise HypError(f"{file} cannot be read: {error.strerror}") from error
