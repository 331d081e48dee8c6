"""The provider that the registry finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.providers._findings import Finding
from hypactors.providers.claude._context import context_file, read_context
from hypactors.providers.claude._discover import projects_root, spawning_calls, walk
from hypactors.providers.claude._entries import entry_of
from hypactors.providers.claude._git import GitLookup
from hypactors.providers.claude._lines import read_lines
from hypactors.providers.claude._session import Surroundings, exchange_of, group_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hypactors.providers._findings import Findings
    from hypactors.providers._protocol import Exchange, Provider, ScanContext
    from hypactors.providers.claude._context import ContextRecord


class ClaudeProvider:
    """The transcripts that Claude Code keeps below its projects folder."""

    name = "claude"
    plugin = "@hypaware/claude"
    datasets: tuple[str, ...] = ("ai_gateway_messages",)
    summary = "Import local Claude Code transcripts into ai_gateway_messages"

    def scan(self, context: ScanContext) -> ClaudeScan:
        return ClaudeScan(context)


class ClaudeScan:
    """One run's list of transcripts, and what all of them share."""

    def __init__(self, context: ScanContext) -> None:
        files = list(walk(projects_root(context.environ), context.findings))
        self.sources: tuple[Path, ...] = tuple(
            path for path in files if path.name.endswith(".jsonl")
        )
        self._findings = context.findings
        self._surroundings = Surroundings(
            window=context.window,
            records=_records(context_file(context.home), context.findings),
            spawning_calls=spawning_calls(files),
            is_configured=context.is_configured,
            repository=GitLookup(context.environ).repository,
        )

    def exchanges(self, source: Path) -> Iterator[Exchange]:
        entries = (entry_of(line) for line in read_lines(source, self._findings))
        sessions = group_sessions(entry for entry in entries if entry is not None)
        for session_id, session in sessions.items():
            exchange = exchange_of(session_id, session, str(source), self._surroundings)
            if exchange is not None:
                yield exchange


def _records(path: Path, findings: Findings) -> tuple[ContextRecord, ...]:
    try:
        return read_context(path)
    except OSError as error:
        findings.add(Finding.UNREADABLE_FILE, str(path), error.strerror)
        return ()


PROVIDER: Provider = ClaudeProvider()
