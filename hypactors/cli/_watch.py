"""Showing a text again and again, in one place of a terminal."""

from __future__ import annotations

import contextlib
import queue
import shutil
import signal
from typing import TYPE_CHECKING, TextIO

from hypactors.cli._style import cut

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_S, LONGEST_S = 0.2, 3600.0

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def watch(render: Callable[[], str], seconds: float, out: TextIO) -> int:
    """Show what ``render`` returns until a signal comes. Return 0.

    A terminal is drawn over in place, on its other screen, and left as it was; anything else gets
    one text after the other.
    """
    # Not an event: its lock may be held by the very thread that the handler interrupts.
    stop: queue.SimpleQueue[int] = queue.SimpleQueue()
    before = {
        number: signal.signal(number, lambda got, _: stop.put(got))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    is_terminal = out.isatty()
    try:
        if is_terminal:
            out.write(_ENTER)
        while True:
            text = render()
            out.write(frame(text, shutil.get_terminal_size()) if is_terminal else f"{text}\n")
            out.flush()
            with contextlib.suppress(queue.Empty):
                stop.get(timeout=seconds)
                break
    finally:
        if is_terminal:
            out.write(_LEAVE)
            out.flush()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def frame(text: str, size: tuple[int, int]) -> str:
    """Return what draws a text over what is there, without clearing it first: that would flicker.

    ``size`` is columns and lines; what does not fit is cut.
    """
    columns, lines = size
    shown = [f"{cut(line, columns)}{_END_OF_LINE}" for line in text.split("\n")[: max(1, lines)]]
    return _HOME + "\r\n".join(shown) + _BELOW
