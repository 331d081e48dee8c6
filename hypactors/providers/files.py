"""Find and open files of history: nothing of them is trusted, not even that they are files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hypactors.paths import user_home
from hypactors.providers._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hypactors.providers._findings import Findings

_BUFFER_BYTES = 1 << 18
# A line is held whole, as bytes, as text and once more as a column. Tool output of 50 MB happens;
# this much of it keeps an import below its memory ceiling.
MAX_LINE_BYTES = 128 * 1024 * 1024
_SKIP_BYTES = 1 << 20


def configured_folder(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Return the folder that a variable names, else one in the home. Empty counts as unset."""
    named = environ.get(variable)
    if named and named.partition("/")[0] != "~":
        return Path(named)
    return user_home(environ) / (named[2:] if named else default)


def open_regular(path: Path) -> BinaryIO:
    """Open a file, but never a link or a pipe that took its place since it was listed.

    Raises ``OSError``.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return open(descriptor, "rb", buffering=_BUFFER_BYTES)  # noqa: PTH123 - a descriptor; the caller closes


def lines_of(
    stream: BinaryIO, end: int, name: str, findings: Findings
) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank and the offset at which it begins, up to ``end``."""
    offset = 0
    while offset < end and (data := stream.readline(min(MAX_LINE_BYTES + 1, end - offset))):
        start, offset = offset, offset + len(data)
        if len(data) > MAX_LINE_BYTES and not data.endswith(b"\n"):
            findings.add(Finding.OVERSIZED_LINE, name)
            del data
            while rest := stream.readline(min(_SKIP_BYTES, end - offset)):
                offset += len(rest)
                if rest.endswith(b"\n"):
                    break
            continue
        if not data.isspace():
            found = [data]
            del data
            yield start, found.pop()  # nothing here holds on to it


def walk(root: Path, findings: Findings) -> Iterator[Path]:
    """Yield every regular file below ``root``, in a stable order; links are not followed.

    A missing root yields nothing. A folder that cannot be read is a finding.
    """
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            findings.add(Finding.UNREADABLE_FOLDER, str(folder), error.strerror)
            continue
        for entry in entries:
            if _is_file(entry):
                yield Path(entry.path)
        folders.extend(Path(entry.path) for entry in reversed(entries) if _is_folder(entry))


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:  # gone, on a file system that does not tell the type in the listing
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def has_entries(folder: Path) -> bool:
    """Say whether there is anything in a folder; what cannot be read may have something."""
    try:
        with os.scandir(folder) as listing:
            return any(True for _ in listing)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
