"""What a file of history is known by: whether it changed, told without reading it whole."""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

_END_BYTES = 4096
_DIGEST_BYTES = 16


class Fingerprint(msgspec.Struct, frozen=True):
    """Size, time of the last change, and hashes of the first and the last 4 KiB.

    The ends are there for whoever writes into a file and sets its time back.
    """

    size: int
    mtime_ns: int
    head: bytes
    tail: bytes


def fingerprint(path: Path) -> Fingerprint | None:
    """Return what a file is known by now; None when it cannot be read, or is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None
        head = os.pread(descriptor, _END_BYTES, 0)
        tail = os.pread(descriptor, _END_BYTES, max(0, found.st_size - _END_BYTES))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return Fingerprint(found.st_size, found.st_mtime_ns, _digest(head), _digest(tail))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()
