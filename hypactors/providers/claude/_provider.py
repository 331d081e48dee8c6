"""The provider that the registry finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.providers._findings import Finding
from hypactors.providers.claude._context import context_file, read_context
from hypactors.providers.claude._discover import projects_root, spawning_calls
from hypactors.providers.claude._git import GitLookup
from hypactors.providers.claude._session import Surroundings, draft_sessions, exchange_of
from hypactors.providers.claude._transcript import Transcript
from hypactors.providers.files import has_entries, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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

    def has_history(self, environ: Mapping[str, str]) -> bool:
        return has_entries(projects_root(environ))


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
            needs_plugin=context.needs_plugin,
            repository=GitLookup(context.environ).repository,
        )

    def exchanges(self, source: Path) -> Iterator[Exchange]:
        try:
            with Transcript.open(source, self._findings) as transcript:
                drafts = draft_sessions(transcript, self._surroundings.window)
                for session_id, draft in drafts.items():
                    exchange = exchange_of(
                        session_id, draft, transcript, str(source), self._surroundings
                    )
                    if exchange is not None:
                        yield exchange
        except OSError as error:
            self._findings.add(Finding.UNREADABLE_FILE, str(source), error.strerror or str(error))


def _records(path: Path, findings: Findings) -> tuple[ContextRecord, ...]:
    try:
        return read_context(path)
    except OSError as error:
        findings.add(Finding.UNREADABLE_FILE, str(path), error.strerror)
        return ()


PROVIDER: Provider = ClaudeProvider()
