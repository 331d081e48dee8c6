"""The provider that the registry finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.providers._findings import Finding
from hypactors.providers.codex._discover import rollouts, sessions_root, unsupported_locations
from hypactors.providers.codex._records import Rollout
from hypactors.providers.codex._session import exchange_of
from hypactors.providers.files import has_entries, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hypactors.providers._protocol import Exchange, Provider, ScanContext


class CodexProvider:
    """The rollouts that Codex keeps below its sessions folder."""

    name = "codex"
    plugin = "@hypaware/codex"
    datasets: tuple[str, ...] = ("ai_gateway_messages",)
    summary = "Import local Codex session rollouts into ai_gateway_messages"

    def scan(self, context: ScanContext) -> CodexScan:
        return CodexScan(context)

    def has_history(self, environ: Mapping[str, str]) -> bool:
        return has_entries(sessions_root(environ))


class CodexScan:
    """One run's list of rollouts."""

    def __init__(self, context: ScanContext) -> None:
        self.sources: tuple[Path, ...] = tuple(
            rollouts(sessions_root(context.environ), context.findings)
        )
        self.notices = tuple(unsupported_locations(context.environ))
        self._findings = context.findings
        self._window = context.window

    def exchanges(self, source: Path) -> Iterator[Exchange]:
        try:
            with open_regular(source) as stream:
                rollout = Rollout(stream, str(source), self._findings)
                exchange = exchange_of(rollout, source, self._window)
                if exchange is not None:
                    yield exchange
        except OSError as error:
            self._findings.add(Finding.UNREADABLE_FILE, str(source), error.strerror or str(error))


PROVIDER: Provider = CodexProvider()
