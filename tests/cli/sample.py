"""A small home for the commands, and what they stored in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.cli import query
from hypactors.providers import Exchange, Message, Provider, ScanContext

if TYPE_CHECKING:
    import pytest

DATA = Path(__file__).parent.parent / "data" / "transcripts"
SINCE = "--since=2020-01-01T00:00:00Z"
CONFIG = {
    "version": 2,
    "plugins": [
        {"name": "@hypaware/ai-gateway"},
        {"name": "@hypaware/claude"},
        {"name": "@hypaware/codex"},
    ],
}
JSON_COLUMNS = ("attributes", "raw_frame", "tool_args", "status", "previous_message_id")


def environ(tmp_path: Path, home: Path | None = None, **extra: str) -> dict[str, str]:
    return {
        "HYP_HOME": str(tmp_path / "hyp"),
        "HOME": str(home or tmp_path),
        "PATH": os.environ["PATH"],
        **extra,
    }


def write_config(tmp_path: Path, content: str) -> None:
    path = tmp_path / "hyp" / "hypaware-config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def write_transcript(tmp_path: Path, *lines: dict[str, Any]) -> Path:
    path = tmp_path / ".claude" / "projects" / "p" / "s.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(number: int, text: str = "hello") -> dict[str, Any]:
    return {
        "sessionId": "s",
        "uuid": f"u{number}",
        "type": "user",
        "timestamp": f"2026-11-01T08:00:{number:02d}.000Z",
        "message": {"role": "user", "content": text},
    }


def stored(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Read the whole table back as ``hyp query`` prints it."""
    sql = "select * from ai_gateway_messages order by part_id"
    assert query.main(["sql", sql, "--json"], env) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


class FakeProvider:
    """A provider of another package."""

    datasets: tuple[str, ...] = ("ai_gateway_messages",)
    summary = "Import something"

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.plugin = f"@x/{name}"
        self.sources = (Path("/one"), Path("/two"))
        self._error = error

    def scan(self, _context: ScanContext) -> FakeProvider:
        return self

    def exchanges(self, source: Path) -> Any:
        yield Exchange(
            provider="p",
            session_id=self.name,
            client_name=self.name,
            source_path=str(source),
            native_id=self.name,
            messages=[Message(role="user", content=str(source))],
        )
        if self._error is not None:
            raise self._error


def fake(name: str, error: Exception | None = None) -> Provider:
    return FakeProvider(name, error)
