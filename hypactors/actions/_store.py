"""The marker file on disk.

While a daemon runs, its marker store is the only caller that writes. The two editors are for a
command line that holds the daemon's lock.
"""

from __future__ import annotations

import os
from datetime import UTC
from itertools import count
from typing import TYPE_CHECKING

from hypactors.actions._markers import LoadedMarkers, MarkerBook
from hypactors.actions._transitions import rearm
from hypactors.files import ensure_private_dir, fsync_dir, read_if_present, write_atomic

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from hypactors.paths import HypHome


def read_markers(home: HypHome) -> LoadedMarkers:
    """Read the marker file. A missing one is empty, an unreadable one empty with a problem."""
    try:
        return MarkerBook.load(read_if_present(home.marker_file))
    except OSError as error:
        return LoadedMarkers(
            MarkerBook(), (f"{home.marker_file} cannot be read: {error.strerror or error}",)
        )


def save_markers(home: HypHome, book: MarkerBook) -> None:
    """Put the book on disk, durably, owner-only. Raises ``OSError``; then the old file stands."""
    ensure_private_dir(home.control_dir)
    write_atomic(home.marker_file, book.encode())


def set_aside(home: HypHome, now: datetime) -> Path | None:
    """Keep a damaged marker file under a second name beside it; None when there is no file.

    The damaged file also stays where it is until the caller saves what was good in it: a crash
    in between loses nothing. Nothing is ever overwritten. Raises ``OSError``.
    """
    source = home.marker_file
    aside = _free_name(source, now)
    try:
        # A second link needs no permission to read, and both names exist at once.
        os.link(source, aside, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError:
        source.rename(aside)  # a folder, or a file system without links
    if aside.is_file():
        aside.chmod(0o600)
    fsync_dir(source.parent)
    return aside


def clear_marker(home: HypHome, kind: str, request_key: str, *, now: datetime) -> bool:
    """Drop one marker; False, with nothing written, when there is none."""
    loaded = read_markers(home)
    return _save_changed(home, loaded, loaded.book.without(kind, request_key), now)


def rearm_refusal(home: HypHome, kind: str, request_key: str, *, now: datetime) -> bool:
    """Let a refused unit be tried again; False, with nothing written, when it is not refused."""
    loaded = read_markers(home)
    book = rearm(loaded.book, kind, request_key, now)
    return book is not None and _save_changed(home, loaded, book, now)


def _save_changed(home: HypHome, loaded: LoadedMarkers, book: MarkerBook, now: datetime) -> bool:
    if book is loaded.book:
        return False
    if loaded.problems:
        set_aside(home, now)
    save_markers(home, book)
    return True


def _free_name(source: Path, now: datetime) -> Path:
    utc = now.astimezone(UTC)
    stamp = f"{utc:%Y%m%dT%H%M%S}{utc.microsecond // 1000:03d}Z"
    names = (f"{source.name}.corrupt-{stamp}{f'-{n}' if n > 1 else ''}" for n in count(1))
    return next(path for name in names if not os.path.lexists(path := source.with_name(name)))
