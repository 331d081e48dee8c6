"""The page in a real browser: it opens offline, fetches nothing, and there is something to see.

What a browser does is read from its own logs and from the picture that it takes.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import zlib
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.report.sample import hostile_page

if TYPE_CHECKING:
    from pathlib import Path

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium to open the page with"),
]
TRAP_S = 120
LIGHT, DARK = "1", "0"
REQUEST = re.compile(r'"initiator":"([^"]*)".*?"url":"([^"]*)"')
BROWSER_ITSELF = "not an origin"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    path = folder / "report.html"
    path.write_bytes(hostile_page(folder / "lake"))
    return path


class Visit(NamedTuple):
    """What a browser made of a page: its document, its console, and what it asked a network for."""

    dom: str
    console: list[str]
    requests: list[str]


def browse(folder: Path, page: Path, *options: str) -> Visit:
    assert BROWSER is not None
    net_log = folder / "net.json"
    done = subprocess.run(
        [
            BROWSER, "--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            # What the browser itself would like to ask its makers finds no host.
            "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"--user-data-dir={folder / 'profile'}", f"--log-net-log={net_log}",
            "--enable-logging=stderr", *options, page.as_uri(),
        ],
        capture_output=True, text=True, check=False, timeout=TRAP_S,
        env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    started = REQUEST.findall(net_log.read_text(errors="replace"))
    return Visit(
        dom=done.stdout,
        console=[line for line in done.stderr.splitlines() if "CONSOLE" in line],
        requests=[url for initiator, url in started if initiator != BROWSER_ITSELF],
    )


def pixels(picture: Path) -> tuple[int, int, list[bytes]]:
    """Decode a PNG of 8 bits a channel; return width, height and the rows of pixels."""
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    size = {2: 3, 6: 4}[kind]
    packed, place = b"", 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            packed += data[place + 8 : place + 8 + length]
        place += length + 12
    raw = zlib.decompress(packed)
    before = bytearray(width * size)
    rows = []
    for number in range(height):
        start = number * (width * size + 1)
        row = bytearray(raw[start + 1 : start + 1 + width * size])
        unfilter(raw[start], row, before, size)
        rows.append(bytes(row))
        before = row
    return width, height, rows


def unfilter(kind: int, row: bytearray, up: bytearray, size: int) -> None:
    """Undo the filter of one row of a PNG, in place."""
    for index in range(len(row)):
        a = row[index - size] if index >= size else 0
        b = up[index]
        c = up[index - size] if index >= size else 0
        nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
        row[index] = (row[index] + (0, a, b, (a + b) // 2, nearest)[kind]) & 255


def colours(rows: list[bytes], width: int) -> set[bytes]:
    size = len(rows[0]) // width
    return {row[index : index + 3] for row in rows[::3] for index in range(0, len(row), size)}


@pytest.mark.parametrize(
    ("scheme", "width"), [(LIGHT, 900), (DARK, 900), (LIGHT, 500)], ids=["light", "dark", "phone"]
)
def test_there_is_something_to_see_in_both_schemes(
    page: Path, tmp_path: Path, scheme: str, width: int
) -> None:
    picture = tmp_path / "page.png"
    browse(
        tmp_path, page, f"--blink-settings=preferredColorScheme={scheme}",
        f"--screenshot={picture}", f"--window-size={width},700",
    )  # fmt: skip

    found_width, height, rows = pixels(picture)
    assert (found_width, height) == (width, 700)
    assert len(colours(rows, width)) > 50
    assert (sum(rows[0][:3]) < 200) == (scheme == DARK), "the page is behind everything"


def test_no_script_runs_nothing_is_fetched_and_the_console_is_quiet(
    page: Path, tmp_path: Path
) -> None:
    visit = browse(tmp_path, page, "--dump-dom")

    assert "<title>Coding agents on this machine</title>" in visit.dom, "no script has changed it"
    assert visit.console == []
    assert visit.requests == []


def test_a_page_that_misbehaves_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<script>document.title='owned'; console.error('x')</script>"
        "<link rel=stylesheet href=http://127.0.0.1:9/x>"
    )
    visit = browse(tmp_path, page, "--dump-dom")

    assert "owned" in visit.dom
    assert len(visit.console) >= 1
    assert "http://127.0.0.1:9/x" in visit.requests
