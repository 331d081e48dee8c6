"""Notes that a client keeps in ``~/.notes/*.jsonl``, a session in each file.

A line is ``{"id": "n1", "at": "2026-11-01T08:00:00Z", "from": "user", "text": "…"}``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from hypactors.paths import user_home
from hypactors.providers import Exchange, Finding, Message, parse_time_ms
from hypactors.providers.files import lines_of, open_regular, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hypactors.providers import Provider, ScanContext


class NotesProvider:
    name = "notes"
    plugin = "@example/notes"
    datasets: tuple[str, ...] = ("ai_gateway_messages",)
    summary = "Import notes into ai_gateway_messages"

    def scan(self, context: ScanContext) -> NotesScan:
        return NotesScan(context)


class NotesScan:
    def __init__(self, context: ScanContext) -> None:
        found = walk(user_home(context.environ) / ".notes", context.findings)
        self.sources = tuple(sorted(path for path in found if path.suffix == ".jsonl"))
        self._window = context.window
        self._findings = context.findings

    def exchanges(self, source: Path) -> Iterator[Exchange]:
        try:
            with open_regular(source) as stream:
                end = os.fstat(stream.fileno()).st_size
                lines = lines_of(stream, end, str(source), self._findings)
                messages = [note for _, line in lines if (note := self._note(line, source))]
        except OSError as error:
            self._findings.add(Finding.UNREADABLE_FILE, str(source), error.strerror)
            return
        if messages:
            yield Exchange(
                provider="notes",
                session_id=source.stem,
                client_name="notes",
                source_path=str(source),
                native_id=source.stem,
                messages=messages,
            )

    def _note(self, line: bytes, source: Path) -> Message | None:
        """Return what a line says, None when it says nothing or is not of this time."""
        try:
            note = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            self._findings.add(Finding.UNPARSEABLE_LINE, str(source))
            return None
        if not isinstance(note, dict) or not isinstance(note.get("id"), str):
            return None
        at_ms = parse_time_ms(note.get("at"))
        if not self._window.keeps(at_ms):
            return None
        return Message(
            role="user" if note.get("from") == "user" else "assistant",
            content=note.get("text"),
            message_id=note["id"],
            message_created_ms=at_ms,
        )


PROVIDER: Provider = NotesProvider()
