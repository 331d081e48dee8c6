"""Several logs as one, by time. What is held at one time is a line of each, and those shown."""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING

from hypactors.logs._files import newest_lines
from hypactors.logs._lines import parse_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from hypactors.logs._files import Position, Stream
    from hypactors.logs._lines import LogLine
    from hypactors.logs._wanted import Wanted


def newest(
    streams: Iterable[Stream],
    until: Mapping[Path, Position | None],
    wanted: Wanted,
    most: int | None,
) -> list[LogLine]:
    """Return the last ``most`` lines that are wanted, the oldest of them first.

    Only as much of the files is read as that takes.
    """
    by_stream = (_lines(stream, until.get(stream.path), wanted.since) for stream in streams)
    merged: Iterator[LogLine] = heapq.merge(*by_stream, key=lambda line: line.ts, reverse=True)
    return list(islice(filter(wanted.keeps, merged), most))[::-1]


def _lines(stream: Stream, until: Position | None, since: str | None) -> Iterator[LogLine]:
    """Yield the lines of one stream from the last to the first; older ones than wanted end it."""
    for line in filter(None, map(parse_line, newest_lines(stream, until))):
        if since is not None and line.ts < since:
            return
        yield line


def oldest_first(lines: Iterable[LogLine]) -> list[LogLine]:
    """Return lines of several logs in the order of their times."""
    return sorted(lines, key=lambda line: line.ts)
