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
