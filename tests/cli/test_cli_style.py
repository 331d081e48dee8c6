"""Colour: on a terminal, and nowhere else."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.cli._style import cut, is_coloured, styled

if TYPE_CHECKING:
    from pathlib import Path

CODE = re.compile(r"\x1b\[\d+m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "is_terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": ""}, True, True),  # no-color.org: empty is as if it were not set
        ({"NO_COLOR": "0"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_is_for_terminals_whose_owner_wants_it(
    environ: dict[str, str], *, is_terminal: bool, expected: bool
) -> None:
    assert is_coloured(Terminal() if is_terminal else io.StringIO(), environ) is expected


STYLED = st.tuples(st.text("ab c", max_size=5), st.sampled_from(["bold", "red", "dim"]))


@given(st.lists(STYLED, max_size=4), st.integers(0, 12))
def test_a_cut_counts_what_is_seen_and_ends_every_style(
    parts: list[tuple[str, str]], columns: int
) -> None:
    shown = cut("".join(styled(text, style, on=True) for text, style in parts), columns)
    assert CODE.sub("", shown) == "".join(text for text, _ in parts)[:columns]
    codes = CODE.findall(shown)
    assert not codes or codes[-1] == "\x1b[0m"


@pytest.mark.process
@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}])
def test_status_is_coloured_on_a_terminal(tmp_path: Path, environ: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "hypactors", "status"],
        env={
            **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
            **environ,
            "HYP_HOME": str(tmp_path),
            "TERM": "xterm",
        },
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        # A closed other end is an error on Linux, and an empty read elsewhere.
        with contextlib.suppress(OSError):
            while more := os.read(ours, 65536):
                shown += more
    finally:
        process.wait(timeout=30)
        os.close(ours)
    has_colour = b"\x1b[1mhypactors\x1b[0m" in shown and b"\x1b[31mdegraded\x1b[0m" in shown
    assert has_colour is not bool(environ)
    assert (b"\x1b" in shown) is has_colour
