"""Text in the columns of a terminal: cleaned, cut to a width, aligned, and bars."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_CELL_WIDTH = 60
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_FULL = "█"
_BEFORE_PLACE = 30


def printable(text: str) -> str:
    """Return the text with a space for each character that could do something to a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def fitted(text: str, limit: int = MAX_CELL_WIDTH) -> str:
    """Return the text, printable and at most ``limit`` columns wide."""
    # Cut before it is cleaned: a cell may be megabytes long.
    clean = printable(text[: limit + 1])
    if width(clean) <= limit:
        return clean
    while width(clean) >= limit:
        clean = clean[:-1]
    return f"{clean}…"


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def padded(text: str, to: int) -> str:
    """Return the text with spaces up to a width."""
    return text + " " * (to - width(text))


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]
) -> Iterator[str]:
    """Yield the lines of an aligned table of cells that fit; numbers stand to the right."""
    lines = [header, *rows]
    widths = [max(width(line[index]) for line in lines) for index in range(len(header))]
    for number, line in enumerate(lines):
        yield "  ".join(map(_aligned, line, widths, numeric)).rstrip()
        if number == 0:
            yield "  ".join("-" * each for each in widths)


def _aligned(text: str, to: int, is_numeric: bool) -> str:  # noqa: FBT001 - mapped over lists
    return " " * (to - width(text)) + text if is_numeric else padded(text, to)


def bar(share: float, columns: int, *, blocks: bool) -> str:
    """Return a bar of that share of some columns: what is not nothing can be seen.

    >>> bar(0.55, 10, blocks=True), bar(0.55, 10, blocks=False), bar(0.001, 10, blocks=True)
    ('█████▌', '######', '▏')
    """
    if share <= 0:
        return ""
    if not blocks:
        return "#" * max(1, round(share * columns))
    whole, eighths = divmod(max(1, round(share * columns * 8)), 8)
    return _FULL * whole + _EIGHTHS[eighths].strip()


def pointed_at(line: str, column: int) -> list[str]:
    """Return what of a line is around a column, from 1, and a caret under it; 0 gives nothing."""
    if column < 1:
        return []
    # A statement of one line may be long: what is shown of it begins before the place.
    start = max(0, column - 1 - _BEFORE_PLACE) if len(line) > MAX_CELL_WIDTH else 0
    before = ("…" if start else "") + printable(line[start : column - 1])
    after = printable(line[column - 1 : start + MAX_CELL_WIDTH + 1])
    rest = "…" if len(line) > start + MAX_CELL_WIDTH + 1 else ""
    return [f"  {before}{after}{rest}", f"  {' ' * width(before)}^"]
