"""Where logs are: the daemon's, with what was rotated away, and one in each run folder."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypactors.paths import HypHome

_RUN_LOG = "log.jsonl"
_BLOCK_BYTES = 1 << 16
_LONGEST_LINE = 1 << 20
"""What is longer is none of ours, and is passed over."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One log: the file that is written to, and whether older parts of it lie beside it."""

    path: Path
    rotates: bool = False

    def parts(self) -> Iterator[Path]:
        """Yield its files from the newest to the oldest."""
        yield self.path
        number = 1
        # While files are renamed one of them may be missing, so the next is asked for too.
        while self.rotates and (self._part(number).exists() or self._part(number + 1).exists()):
            yield self._part(number)
            number += 1

    def _part(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


class LogFiles:
    """The logs of one home. Run folders come and go: ask again."""

    def __init__(self, home: HypHome) -> None:
        self._home = home

    def streams(self) -> list[Stream]:
        found = [Stream(self._home.log_file, rotates=True)]
        for folder in (
            *_folders(self._home.runs_dir),
            *(sink / "runs" for sink in _folders(self._home.sinks_dir)),
            self._home.maintenance_runs,
        ):
            logs = (run / _RUN_LOG for run in _folders(folder))
            found.extend(Stream(log) for log in logs if log.is_file())
        return found


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as listing:
            return sorted(Path(each.path) for each in listing if each.is_dir(follow_symlinks=False))
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file is known: which file it is, and how much of it."""

    device: int
    inode: int
    offset: int

    def is_of(self, found: os.stat_result) -> bool:
        return (self.device, self.inode) == (found.st_dev, found.st_ino)


def end_of(path: Path) -> Position | None:
    """Return the end of what is there; None when nothing is."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Position(found.st_dev, found.st_ino, found.st_size)


def open_log(path: Path) -> BinaryIO | None:
    """Open a log, or return None: it was never there, is rotated away, or may not be read."""
    with contextlib.suppress(OSError):
        return path.open("rb")
    return None


def newest_lines(stream: Stream, until: Position | None) -> Iterator[bytes]:
    """Yield the lines of a stream from the last to the first.

    Of the file that ``until`` is of, what comes after it is left out. A rotation meanwhile neither
    loses nor repeats a line: a file is known by its inode.
    """
    seen: set[tuple[int, int]] = set()
    for path in stream.parts():
        log = open_log(path)
        if log is None:
            continue
        with log:
            found = os.fstat(log.fileno())
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
            is_cut = until is not None and until.is_of(found)
            end = until.offset if until is not None and is_cut else found.st_size
            yield from _lines_backwards(log, min(end, found.st_size))


def _lines_backwards(log: BinaryIO, end: int) -> Iterator[bytes]:
    rest = b""
    is_too_long = False
    while end > 0:
        begin = max(0, end - _BLOCK_BYTES)
        log.seek(begin)
        lines = (log.read(end - begin) + rest).split(b"\n")
        end = begin
        # The first piece goes on in the block before, unless there is none.
        rest = lines.pop(0) if begin else b""
        for line in reversed(lines):
            if line and not is_too_long:
                yield line
            is_too_long = False
        if len(rest) > _LONGEST_LINE:
            rest, is_too_long = b"", True
