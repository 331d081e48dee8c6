"""Colour for a terminal, and only for one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES = {"bold": "1", "dim": "2", "red": "31", "yellow": "33", "green": "32"}
_PLAIN = "\x1b[0m"
_CODE = re.compile(r"(\x1b\[\d+m)")


def is_coloured(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Say whether what is written there may be coloured: see no-color.org."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and stream.isatty()


def styled(text: str, style: str, *, on: bool) -> str:
    """Return the text in a style: ``bold``, ``dim``, ``red``, ``yellow`` or ``green``."""
    return f"\x1b[{_CODES[style]}m{text}{_PLAIN}" if on else text


def cut(line: str, columns: int) -> str:
    """Return a line that may be styled, with so many characters at most, and no style left on."""
    shown = ""
    for part in _CODE.split(line):
        if _CODE.fullmatch(part) is None:
            shown += part[:columns]
            columns -= len(part[:columns])
        elif columns > 0 or part == _PLAIN:
            shown += part
    return shown
