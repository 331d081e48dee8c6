"""Homes with a history in them, and what a scan of one gives."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.paths import HypHome
from hypactors.providers import Exchange, Findings, Row, ScanContext, Window, expand
from hypactors.providers.claude import PROVIDER as CLAUDE
from hypactors.providers.claude._context import context_file
from hypactors.providers.codex import PROVIDER as CODEX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hypactors.providers import Provider, Scan

NOW_MS = 1_780_000_000_000

Line = dict[str, Any]


def said(number: int, **fields: Any) -> Line:
    """Return a line of Claude's session ``s``, a second after the one before."""
    return {
        "sessionId": "s",
        "uuid": f"u{number}",
        "type": "user",
        "timestamp": f"2026-11-01T08:00:{number:02d}.000Z",
        "message": {"role": "user", "content": f"text {number}"},
        **fields,
    }


def answered(number: int, message_id: str | None = None, **message: Any) -> Line:
    body = {"role": "assistant", "model": "m1", "content": [{"type": "text", "text": "a"}]}
    return said(number, type="assistant", message={**body, "id": message_id, **message})


def usage(**counts: Any) -> Line:
    return {"usage": counts}


def record(kind: str, second: int | None = None, **payload: Any) -> Line:
    """Return a line of a rollout, so many seconds after eight, or of no time."""
    stamp = {} if second is None else {"timestamp": f"2026-11-01T08:00:{second:02d}.000Z"}
    return {**stamp, "type": kind, "payload": payload}


def meta(**payload: Any) -> Line:
    return record(
        "session_meta", 0, **{"id": "thread", "timestamp": "2026-11-01T08:00:00Z", **payload}
    )


def item(second: int | None, kind: str, **payload: Any) -> Line:
    return record("response_item", second, type=kind, **payload)


def spoken(second: int | None, role: str, text: str, **payload: Any) -> Line:
    content = [{"type": "input_text", "text": text}]
    return item(second, "message", role=role, content=content, **payload)


def called(second: int | None, call_id: str = "c1", **payload: Any) -> Line:
    return item(
        second,
        "function_call",
        **{"call_id": call_id, "name": "shell", "arguments": "{}", **payload},
    )


def tokens(second: int | None, **counts: Any) -> Line:
    info = {"last_token_usage": counts, "total_token_usage": {"input_tokens": 10**6}}
    return record("event_msg", second, type="token_count", info=info)


class History:
    """A home, and what a scan of it by one provider gives."""

    provider: Provider

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = HypHome(root / ".hyp")
        self.plugins: set[str] = set()
        self.window = Window()
        self.environ = {"HOME": str(root), "PATH": os.environ["PATH"]}
        self.findings = Findings()

    def scan(self) -> Scan:
        return self.provider.scan(
            ScanContext(
                self.window, self.environ, self.home, self.plugins.__contains__, self.findings
            )
        )

    def exchanges(self) -> list[Exchange]:
        """Return the sessions, each with its messages as a list."""
        scan = self.scan()
        return [
            msgspec.structs.replace(found, messages=list(found.messages))
            for source in scan.sources
            for found in scan.exchanges(source)
        ]

    def rows(self) -> list[Row]:
        return [row for found in self.exchanges() for row in expand(found, now_ms=NOW_MS)]


class ClaudeHistory(History):
    provider = CLAUDE

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.projects = root / ".claude" / "projects"

    def write(self, name: str, *lines: Line) -> Path:
        return _write(self.projects / name, lines)

    def note(self, *records: Line | str) -> None:
        """Fill the session-context channel."""
        _write(context_file(self.home), records)


class CodexHistory(History):
    provider = CODEX

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.sessions = root / ".codex" / "sessions"

    def write(self, *lines: Line | str, name: str = "2026/11/01/rollout-x.jsonl") -> Path:
        return _write(self.sessions / name, lines)


def _write(path: Path, lines: Iterable[Line | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def attributes_of(row: Row) -> Line:
    attributes: Line = json.loads(row.attributes)
    return attributes


def codex_of(row: Row) -> Line:
    attributes: Line = attributes_of(row)["codex"]
    return attributes
