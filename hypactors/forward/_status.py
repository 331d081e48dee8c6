"""What an export leaves for others to read: how the forwarding of a sink is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hypactors.files import ensure_private_dir, read_if_present, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from hypactors.paths import HypHome


class SinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """``status.json`` of a sink. Times are ISO-8601 in UTC; counts are of this fleet.

    ``cache_stamp`` tells the state of the cache that was last sent as a whole; ``failures`` is
    how many exports in a row did not get to the end.
    """

    fleet: str
    at: str
    status: str
    rows: int = 0
    set_aside: int = 0
    set_aside_lost: int = 0
    withheld: int = 0
    failures: int = 0
    error: str | None = None
    exported_at: str | None = None
    cache_stamp: str | None = None
    v: int = 1


def read_sink_status(home: HypHome, sink: str) -> SinkStatus | None:
    """Return how it is, None when nothing was ever sent or the file cannot be used."""
    try:
        raw = read_if_present(_path(home, sink))
        return None if raw is None else msgspec.json.decode(raw, type=SinkStatus)
    except (OSError, ValueError, RecursionError):
        return None


def write_sink_status(home: HypHome, sink: str, status: SinkStatus) -> None:
    ensure_private_dir(home.sink_dir(sink))
    write_atomic(_path(home, sink), msgspec.json.encode(status) + b"\n")


def cache_stamp(home: HypHome) -> str | None:
    """Return what changes with each commit to the cache; None when there is no cache.

    It is of the catalogue's file alone, so that whoever asks needs no data plane.
    """
    try:
        found = (home.lake_dir / "catalog.db").stat()
    except OSError:
        return None
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"


def _path(home: HypHome, sink: str) -> Path:
    return home.sink_dir(sink) / "status.json"
