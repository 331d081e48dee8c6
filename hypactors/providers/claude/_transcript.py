"""One transcript, read from start to end and then again line by line, in whatever order.

The order of a session's messages, and which of them carries the usage, is known when the last line
is. A short file is held meanwhile; of a long one only where its lines are.
"""

from __future__ import annotations

import os
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from hypactors.providers._findings import Finding
from hypactors.providers.claude._lines import parse_head, parse_line
from hypactors.providers.files import lines_of, open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from hypactors.providers._findings import Findings
    from hypactors.providers.claude._lines import Line

# Decoded, a line takes some three times its bytes.
HELD_BYTES = 2 * 1024 * 1024
_CHUNK_BYTES = 1 << 20


class Transcript:
    """The lines of one open file that are JSON objects; what is not JSON is a finding.

    What is appended after the file was opened is left to the next import.
    """

    def __init__(self, stream: BinaryIO, name: str, findings: Findings) -> None:
        self._stream = stream
        self._name = name
        self._findings = findings
        self._size = os.fstat(stream.fileno()).st_size
        self.is_held = self._size <= HELD_BYTES
        self._held: list[Line] = []
        self._offsets = array("Q")
        self._lengths = array("Q")
        self._chunk = b""
        self._chunk_offset = 0

    @classmethod
    @contextmanager
    def open(cls, path: Path, findings: Findings) -> Iterator[Self]:
        """Open a file for as long as the context lasts. Raises ``OSError``."""
        with open_regular(path) as stream:
            yield cls(stream, str(path), findings)

    def lines(self) -> Iterator[Line]:
        """Yield every line, once. An error midway ends the file after what was read."""
        lines = lines_of(self._stream, self._size, self._name, self._findings)
        while True:
            try:
                offset, data = next(lines)
            except StopIteration:
                return
            except OSError as error:
                self._unreadable(error)
                return
            # A long file is read again, in the order of its sessions.
            line = self._parsed(data, parse_line if self.is_held else parse_head)
            length = len(data)
            del data  # a line may be a large part of all there is
            if line is None:
                continue
            if self.is_held:
                self._held.append(line)
            else:
                self._offsets.append(offset)
                self._lengths.append(length)
            yield line
            del line

    def line(self, number: int) -> Line | None:
        """Return a line that ``lines`` has yielded; None when the file has changed since."""
        if self.is_held:
            return self._held[number]
        try:
            data = self._read(self._offsets[number], self._lengths[number])
        except OSError as error:
            self._unreadable(error)
            return None
        return self._parsed(data, parse_line)

    def _parsed(self, data: bytes, parse: Callable[[bytes], Line | None]) -> Line | None:
        try:
            return parse(data)
        except ValueError:
            self._findings.add(Finding.UNPARSEABLE_LINE, self._name)
            return None

    def _read(self, offset: int, length: int) -> bytes:
        """Read so that lines in the order of the file cost one call for many."""
        start = offset - self._chunk_offset
        if start < 0 or start + length > len(self._chunk):
            if length > _CHUNK_BYTES:
                self._chunk = b""
                return os.pread(self._stream.fileno(), length, offset)
            self._chunk = os.pread(self._stream.fileno(), _CHUNK_BYTES, offset)
            self._chunk_offset = offset
            start = 0
        return self._chunk[start : start + length]

    def _unreadable(self, error: OSError) -> None:
        self._findings.add(Finding.UNREADABLE_FILE, self._name, error.strerror or str(error))
