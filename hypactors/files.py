"""The one way this package puts a file on disk.

Standard library only: the launcher of an import runs this in an interpreter that should be
small and quick to start.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


OPEN_TO_OTHERS = 0o077
"""The bits of a mode that let anybody but the owner do something."""


class Files(Protocol):
    """The calls that change a folder. Tests put in a disk that fails, stops or forgets.

    Reading is not among them: whatever the disk, what is there is read from there.
    """

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Make a new file; nothing promises yet that its bytes survive a power cut."""
        ...

    def fsync(self, path: Path) -> None:
        """Make the bytes of a file, or the names in a folder, survive a power cut."""
        ...

    def replace(self, source: Path, target: Path) -> None: ...

    def symlink(self, path: Path, points_to: str) -> None: ...

    def unlink(self, path: Path) -> None: ...


class Disk:
    """The real thing."""

    def write(self, path: Path, data: bytes, mode: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
            stream.write(data)

    def fsync(self, path: Path) -> None:
        # Which descriptor wrote the bytes does not matter: fsync is about the file.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def symlink(self, path: Path, points_to: str) -> None:
        path.symlink_to(points_to)

    def unlink(self, path: Path) -> None:
        path.unlink()


DISK = Disk()


def ensure_private_dir(path: Path) -> None:
    """Make ``path`` and the parents it lacks, owner-only; tighten it when it is already there."""
    if not path.parent.exists():
        ensure_private_dir(path.parent)
    path.mkdir(exist_ok=True, mode=0o700)
    if path.stat().st_mode & OPEN_TO_OTHERS:
        path.chmod(0o700)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600, files: Files = DISK) -> None:
    """Replace ``path`` by ``data`` so that a reader, or a crash, sees the old or the new file.

    On return the bytes and the name are both on disk: the file is fsynced before the rename
    and the folder after it. The folder must exist. Raises ``OSError``; then the old file, if
    any, is untouched and no temporary file is left, unless only the last fsync failed.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(6).hex()}.tmp")
    try:
        files.write(temporary, data, mode)
        files.fsync(temporary)
        files.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            files.unlink(temporary)
        raise
    files.fsync(path.parent)


def link_atomic(path: Path, points_to: str, *, files: Files = DISK) -> None:
    """Make ``path`` a symbolic link, in one step as `write_atomic` does."""
    temporary = path.with_name(f"{path.name}.tmp.{os.getpid()}.{os.urandom(6).hex()}")
    try:
        files.symlink(temporary, points_to)
        files.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            files.unlink(temporary)
        raise
    files.fsync(path.parent)


def remove(path: Path, *, files: Files = DISK) -> bool:
    """Remove a file or a link for good; say whether it was there."""
    try:
        files.unlink(path)
    except FileNotFoundError:
        return False
    files.fsync(path.parent)
    return True


def remove_leftovers(folder: Path, *names: str) -> None:
    """Remove what writes of these files have left that a kill cut short; of any file without names.

    For the one that writes them, while it does not. What cannot be removed stays.
    """
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if any(path.match(f"{name}.*.*.tmp") for name in names or ("*",)):
                path.unlink(missing_ok=True)


def fsync_dir(path: Path) -> None:
    """Make the names in a folder durable."""
    DISK.fsync(path)


def read_if_present(path: Path) -> bytes | None:
    """Return the content of a file, or None when there is no such file."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
