"""One writer at a time for a dataset, between processes."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from hypactors.files import ensure_private_dir

if TYPE_CHECKING:
    from pathlib import Path


class DatasetLock:
    """A ``flock`` on a file beside the warehouse; the file is never unlinked.

    Held for refresh, dedupe and append, or to create the table: seconds, not a whole import.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> Self:
        ensure_private_dir(self._path.parent)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class ReadersLock:
    """Readers hold it together; who takes files away holds it alone.

    It is on the folder itself: a reader must not have to write anything.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def shared(cls, folder: Path) -> Self | None:
        """Return the lock of a reader; None where nothing can be locked, or there is no cache."""
        return cls._take(folder, fcntl.LOCK_SH)

    @classmethod
    def try_alone(cls, folder: Path) -> Self | None:
        """Return the lock, or None while somebody reads."""
        return cls._take(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @classmethod
    def _take(cls, folder: Path, operation: int) -> Self | None:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # there is no cache, or not for us
            return None
        try:
            fcntl.flock(descriptor, operation)
        except OSError:
            os.close(descriptor)
            return None
        return cls(descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
