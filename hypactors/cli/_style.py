"""Colour for a terminal, and only for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES = {"bold": "1", "dim": "2", "red": "31", "yellow": "33", "green": "32"}


def is_coloured(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Say whether what is written there may be coloured: see no-color.org."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and stream.isatty()


def styled(text: str, style: str, *, on: bool) -> str:
    """Return the text in a style: ``bold``, ``dim``, ``red``, ``yellow`` or ``green``."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if on else text
