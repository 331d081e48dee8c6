"""Open a file of history: nothing of it is trusted, not even that it is a file."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

_BUFFER_BYTES = 1 << 18


def open_regular(path: Path) -> BinaryIO:
    """Open a file, but never a link or a pipe that took its place since it was listed.

    Raises ``OSError``.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return open(descriptor, "rb", buffering=_BUFFER_BYTES)  # noqa: PTH123 - a descriptor; the caller closes
