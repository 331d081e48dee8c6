"""A text that is shown again and again."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from hypactors.cli._watch import frame, watch

if TYPE_CHECKING:
    from pathlib import Path


def test_a_frame_is_drawn_over_the_one_before() -> None:
    drawn = frame("one\ntwo long\nthree", (5, 2))
    assert drawn == "\x1b[Hone\x1b[K\r\ntwo l\x1b[K\x1b[J"


def test_a_styled_line_is_cut_where_it_is_seen_to_end() -> None:
    assert frame("\x1b[1mbold\x1b[0m more", (6, 1)) == "\x1b[H\x1b[1mbold\x1b[0m m\x1b[K\x1b[J"


def test_what_is_no_terminal_gets_one_text_after_the_other() -> None:
    out = io.StringIO()
    count = 0

    def render() -> str:
        nonlocal count
        count += 1
        if count == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return f"text {count}"

    before = signal.getsignal(signal.SIGTERM)
    assert threading.current_thread() is threading.main_thread()
    assert watch(render, 0.001, out) == 0
    assert out.getvalue() == "text 1\ntext 2\ntext 3\n"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_is_left_as_it_was(number: signal.Signals, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "hypactors", "status", "--watch", "0.2"],
        env={**os.environ, "HYP_HOME": str(tmp_path), "TERM": "xterm", "NO_COLOR": ""},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while shown.count(b"\x1b[H") < 3:
            shown += os.read(ours, 65536)
        process.send_signal(number)
        while not shown.endswith(b"\x1b[?1049l"):
            shown += os.read(ours, 65536)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert shown.startswith(b"\x1b[?1049h\x1b[?25l\x1b[H\x1b[1mhypactors\x1b[0m")
    assert shown.endswith(b"\x1b[?25h\x1b[?1049l")
    assert b"\x1b[2J" not in shown, "it would flicker"
