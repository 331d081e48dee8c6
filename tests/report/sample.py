"""An overview, a history and a status with names that want to be markup."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from hypactors.lake import Lake
from hypactors.report import ImportHistory, ImportRun, render_page
from hypactors.report._history import ImportMark
from hypactors.sql import overview
from tests.sql.cached import made_up, put, response

if TYPE_CHECKING:
    from pathlib import Path

    from hypactors.sql import Overview

SCRIPT = "<script>document.title='owned'</script>"
IMAGE = "<img src=x onerror=\"document.title='owned'\">"
BREAK_OUT = "\"></title></svg></style><script>document.title='owned'</script>"
FETCH = "<link rel=stylesheet href=http://127.0.0.1:9/x><iframe src=http://127.0.0.1:9/>"
HOSTILE = (
    SCRIPT,
    IMAGE,
    BREAK_OUT,
    FETCH,
    "javascript:alert(1)",
    "]]>--><!--",
    "\x00\x1b[31m\u202e",
)


def hostile_overview(folder: Path, *, days: int = 40) -> Overview:
    lake = Lake(folder)
    rows = []
    for number in range(days):
        day = str(date(2026, 9, 20) + timedelta(number))
        at = {"message_created_at": f"{day}T10:00:00.000Z"}
        for index, name in enumerate(HOSTILE):
            clean = name.replace("\x00", "")  # a null byte is no text to the cache's writer either
            rows += [
                response(clean, day, input_tokens=1000 * (number + 1), output_tokens=index),
                made_up(
                    session_id=clean, client_name=clean, cwd=clean, part_type="tool_call",
                    tool_name=clean, **at,
                ),
            ]  # fmt: skip
    put(lake, rows)
    return overview(lake, None)


def hostile_history() -> ImportHistory:
    return ImportHistory(
        marks=[ImportMark(name, name, "2026-11-18T08:00:00.000Z", 1, 2, name) for name in HOSTILE],
        runs=[
            ImportRun(name, name, "2026-11-18T08:00:00.000Z", None, 1, name, None)
            for name in HOSTILE
        ],
    )


def hostile_status() -> dict[str, Any]:
    return {
        "source": "daemon",
        "overall": SCRIPT,
        "convergence": {
            "state": SCRIPT, "running_etag": IMAGE, "served_etag": BREAK_OUT,
            "last_poll_at": FETCH, "confirmed_at": None, "until": 5,
        },
        "attention": [
            {"severity": name, "kind": name, "message": name, "command": name} for name in HOSTILE
        ],
    }  # fmt: skip


def hostile_page(folder: Path) -> bytes:
    return render_page(
        hostile_overview(folder),
        hostile_history(),
        hostile_status(),
        made_at="2026-11-18T10:00:00.000Z",
        version="0",
    )
