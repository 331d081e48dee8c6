"""Rows put into a cache by hand: the golden ones, and such as a test makes up."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.cache import MessageWriter
from hypactors.clock import parse_iso
from hypactors.dataset import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypactors.lake import Lake

DATA = Path(__file__).parent.parent / "data" / "transcripts"
VARIES = "<varies>"

_NUMBERS = count()


def golden(corpus: str) -> list[dict[str, Any]]:
    """Return the rows that the other client made of a corpus."""
    return [json.loads(line) for line in (DATA / corpus / "rows.jsonl").read_text().splitlines()]


def made_up(**columns: Any) -> dict[str, Any]:
    """Return a row of one message, with an id that no other has."""
    message = f"m{next(_NUMBERS)}"
    time = columns.get("message_created_at", "2026-11-01T08:00:00.000Z")
    return {
        "gateway_id": "g", "schema_version": 7, "session_id": "s", "provider": "p",
        "conversation_started_at": time, "client_name": "claude", "message_id": message,
        "message_index": 0, "message_created_at": time, "role": "assistant",
        "part_id": f"{message}#0", "part_index": 0, "part_type": "text", "date": time[:10],
        **columns,
    }  # fmt: skip


def response(model: str | None, day: str, **usage: Any) -> dict[str, Any]:
    return made_up(
        model=model,
        message_created_at=f"{day}T12:00:00.000Z",
        attributes={"client": {"name": "claude"}, "usage": usage},
    )


def put(lake: Lake, rows: Iterable[dict[str, Any]]) -> None:
    MessageWriter(lake, run_id="r").commit([_stored(row) for row in rows], files=1)


def _stored(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(_value(row.get(column.name), column.kind) for column in COLUMNS)


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "json":
        return json.dumps(value)
    if kind == "time":
        moment = "2026-11-03T00:00:00.000Z" if value == VARIES else value
        return int(parse_iso(moment).timestamp() * 1000)
    return value
