"""Which files an earlier import has taken whole, so that this one need not open them (contract §8).

A checkpoint is saved after the commit that holds the last of a file's rows. A crash between the two
costs that the file is read again; what it holds is known by then.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import msgspec

from hypactors.files import ensure_private_dir
from hypactors.importing._sources import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from hypactors.providers import Window

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS taken (
    path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, head BLOB, tail BLOB,
    since_ms INTEGER, until_ms INTEGER, items INTEGER, withheld TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (cache_id TEXT);
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is remembered of one file.

    ``items`` is how many sessions were in it. ``withheld`` says why some of it was left out, as
    ``ignored:<folder>`` or ``plugin:<name>``: when that is so no more, it is read again.
    """

    path: Path
    fingerprint: Fingerprint
    items: int
    withheld: tuple[str, ...] = ()


class Checkpoints:
    """The files that one provider's imports have put into one cache. Not for two processes.

    Raises ``OSError`` from every method when the file cannot be used; a damaged one is begun anew.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        ensure_private_dir(path.parent)
        try:
            try:
                return cls(path, _connect(path))
            except sqlite3.OperationalError:  # locked, perhaps, or the disk is full: not damaged
                raise
            except sqlite3.DatabaseError:
                # All that is lost with it is time: the parts themselves say what is there.
                path.unlink(missing_ok=True)
                return cls(path, _connect(path))
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from error

    def close(self) -> None:
        self._connection.close()

    def belong_to(self, cache_id: str | None) -> None:
        """Forget everything unless it is of this cache; None: there is none (yet)."""
        try:
            row = self._connection.execute("SELECT cache_id FROM meta").fetchone()
            if row is not None and row[0] == cache_id:
                return
            with self._connection:
                self._connection.execute("DELETE FROM taken")
                self._connection.execute("DELETE FROM meta")
                self._connection.execute("INSERT INTO meta VALUES (?)", (cache_id,))
        except (sqlite3.Error, OverflowError) as error:
            raise OSError(f"{self._path}: {error}") from error

    def covering(
        self,
        path: Path,
        now: Fingerprint,
        window: Window,
        is_still_withheld: Callable[[str], bool],
    ) -> Taken | None:
        """Return what is remembered of a file if there is nothing in it that we would add."""
        try:
            row = self._connection.execute(
                "SELECT size, mtime_ns, head, tail, since_ms, until_ms, items, withheld"
                " FROM taken WHERE path = ?",
                (os.fsencode(path),),
            ).fetchone()
        except (sqlite3.Error, OverflowError) as error:
            raise OSError(f"{self._path}: {error}") from error
        if row is None or Fingerprint(*row[:4]) != now or not _covers(row[4], row[5], window):
            return None
        withheld = tuple(msgspec.json.decode(row[7], type=list[str]))
        if not all(map(is_still_withheld, withheld)):
            return None
        return Taken(path, now, row[6], withheld)

    def forget_before(self, since_ms: int) -> None:
        """Claim nothing of rows before this time any more: they were removed from the cache."""
        try:
            with self._connection:
                self._connection.execute(
                    "UPDATE taken SET since_ms = ? WHERE since_ms IS NULL OR since_ms < ?",
                    (since_ms, since_ms),
                )
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}") from error

    def save(self, taken: Iterable[Taken], window: Window) -> None:
        rows = [
            (
                os.fsencode(each.path),
                each.fingerprint.size,
                each.fingerprint.mtime_ns,
                each.fingerprint.head,
                each.fingerprint.tail,
                window.since_ms,
                window.until_ms,
                each.items,
                msgspec.json.encode(each.withheld).decode(errors="replace"),
            )
            for each in taken
        ]
        try:
            with self._connection:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO taken VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
                )
        except (sqlite3.Error, OverflowError) as error:
            raise OSError(f"{self._path}: {error}") from error


def forget_before(folder: Path, since_ms: int) -> None:
    """Let every provider's checkpoints claim nothing before this time. Raises ``OSError``.

    Whoever asks for older rows again, with a longer retention perhaps, gets them again.
    """
    for path in sorted(folder.glob("*.db")):
        with contextlib.closing(Checkpoints.open(path)) as checkpoints:
            checkpoints.forget_before(since_ms)


def _covers(since_ms: int | None, until_ms: int | None, window: Window) -> bool:
    """Say whether what was asked for then holds all that is asked for now."""
    begins = since_ms is None or (window.since_ms is not None and since_ms <= window.since_ms)
    return begins and (
        until_ms is None or (window.until_ms is not None and window.until_ms <= until_ms)
    )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    try:
        os.chmod(path, 0o600)  # noqa: PTH101 - it holds the names of somebody's projects
        [version] = connection.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:
            connection.executescript("DROP TABLE IF EXISTS taken; DROP TABLE IF EXISTS meta;")
            connection.executescript(_TABLES)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        _require_sound(connection)
        # A checkpoint that a power cut takes is only work to be done again.
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _require_sound(connection: sqlite3.Connection) -> None:
    """Find damage now: it would be met half-way through an import, and in each that follows."""
    [verdict] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
