"""Following logs that are written, rotated, begun and taken away meanwhile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from hypactors.logs._files import end_of, open_log
from hypactors.logs._lines import parse_line
from hypactors.logs._merge import oldest_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hypactors.logs._files import LogFiles, Position, Stream
    from hypactors.logs._lines import LogLine

_READ_BYTES = 1 << 20


class Follower:
    """Gives what was added since the last look, each line once, whatever was rotated.

    A last line that is not whole yet waits for its end.
    """

    def __init__(self, files: LogFiles) -> None:
        """Begin at the ends of the logs that there are now: ``begins`` says where that is."""
        self._files = files
        streams = files.streams()
        self.begins: Mapping[Path, Position | None] = {
            stream.path: end_of(stream.path) for stream in streams
        }
        self._tails = {stream.path: _Tail(stream, self.begins[stream.path]) for stream in streams}

    def look(self) -> list[LogLine]:
        """Return the new lines of all logs, by time."""
        streams = {stream.path: stream for stream in self._files.streams()}
        for path in self._tails.keys() - streams.keys():
            self._tails.pop(path).close()
        for path in streams.keys() - self._tails.keys():
            self._tails[path] = _Tail(streams[path], None)
        found = (line for tail in self._tails.values() for line in tail.new_lines())
        return oldest_first(filter(None, map(parse_line, found)))

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()


class _Tail:
    """The end of one log. Holds its file open, so that it can be read on when it was renamed."""

    def __init__(self, stream: Stream, begin: Position | None) -> None:
        self._stream = stream
        self._known = begin
        self._open: BinaryIO | None = None
        self._rest = b""

    def new_lines(self) -> Iterable[bytes]:
        for log in self._logs_since():
            yield from self._lines_of(log)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _logs_since(self) -> Iterable[BinaryIO]:
        """Yield, from the oldest on, the files that may have something new, each at its place."""
        if self._open is not None:
            if os.fstat(self._open.fileno()).st_size < self._open.tell():
                self._open.seek(0)  # cut off and begun anew
                self._rest = b""
            yield self._open
        newer = list(self._newer())
        if not newer:
            return
        self.close()
        self._rest = b""  # a line is never divided between two files
        for log in newer:
            self._open = log
            yield log
            if log is not newer[-1]:
                log.close()
                self._rest = b""

    def _newer(self) -> Iterable[BinaryIO]:
        """Open the files that came after the one that we know, the oldest first."""
        current = None if self._open is None else os.fstat(self._open.fileno())
        opened: list[BinaryIO] = []
        for path in self._stream.parts():
            log = open_log(path)
            if log is None:
                continue
            found = os.fstat(log.fileno())
            if any(os.path.samestat(found, os.fstat(each.fileno())) for each in opened):
                log.close()  # renamed while we looked
                continue
            if current is not None and os.path.samestat(found, current):
                log.close()
                break
            opened.append(log)
            if current is None and self._known is not None and self._known.is_of(found):
                log.seek(min(self._known.offset, found.st_size))
                break
        self._known = None
        return reversed(opened)

    def _lines_of(self, log: BinaryIO) -> Iterable[bytes]:
        while data := log.read(_READ_BYTES):
            *lines, self._rest = (self._rest + data).split(b"\n")
            yield from filter(None, lines)
