"""Locks that end with their holder: one import a provider, one daemon a home (contract §5).

An flock belongs to an open description, not to a process: whoever inherits the descriptor holds
the lock too, and it is free when the last copy is closed, however its owner died. That is why
nothing here ever calls ``LOCK_UN``: it would take the lock from the inheritors as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from hypactors.files import ensure_private_dir
from hypactors.processes._names import LOCK_FD_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from hypactors.paths import HypHome


class FileLock:
    """One held lock. Not held any more, by us, after ``close``. Its file is never unlinked."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def try_take(cls, path: Path) -> Self | None:
        """Take the lock, or return None at once when somebody holds it."""
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def fileno(self) -> int:
        if self._descriptor is None:
            raise ValueError("the lock is closed")
        return self._descriptor

    def close(self) -> None:
        """Give up this copy; the lock stays held as long as an inheritor lives."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ImportLock(FileLock):
    """The lock that keeps two imports of one provider apart; launcher and import inherit it."""

    @classmethod
    def inherited_or_taken(cls, path: Path, environ: Mapping[str, str]) -> ImportLock | None:
        """Return the lock that we were given or that is free, or None when another holds it."""
        return _inherited(path, environ) or cls.try_take(path)

    @classmethod
    def for_import(
        cls,
        home: HypHome,
        provider: str,
        environ: Mapping[str, str],
        on_wait: Callable[[], None],
    ) -> ImportLock:
        """Return the lock of an import: the inherited one, or else one taken here.

        When another import of the provider runs, ``on_wait`` is called once and then this blocks
        until that import is over. The descriptor is close-on-exec: what an import starts, its
        workers and git, must not keep the lock.
        """
        path = home.import_lock(provider)
        inherited = _inherited(path, environ)
        if inherited is not None:
            return inherited
        lock = cls.try_take(path)
        if lock is not None:
            return lock
        on_wait()
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)


def is_free(path: Path) -> bool:
    """Say whether nobody holds the lock. Creates nothing.

    The probe is a shared lock held for an instant, so probes never disturb each other; a
    ``try_take`` in that instant would see a held lock, which is the safe way to be wrong.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _open(path: Path) -> int:
    ensure_private_dir(path.parent)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _inherited(path: Path, environ: Mapping[str, str]) -> ImportLock | None:
    """Return the lock whose number the environment names, when it is this lock and locked."""
    number = environ.get(LOCK_FD_VARIABLE, "")
    if not (number.isascii() and number.isdigit()):
        return None
    descriptor = int(number)
    # OverflowError: a number that no descriptor can have.
    with contextlib.suppress(OSError, OverflowError):
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            # Locks nothing new when the description holds the lock already, and fails when
            # another one does: then the number is a leftover and means nothing.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.set_inheritable(descriptor, False)
            return ImportLock(descriptor)
    return None
