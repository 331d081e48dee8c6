"""Import the history of one provider after the other, each under the lock of its imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypactors.errors import ImportBusyError, ImportRunError
from hypactors.importing import Engine, Progress, reason_of
from hypactors.providers import Findings

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.cli._import_log import ImportLog
    from hypactors.clock import Clock
    from hypactors.importing import Imported, Surroundings
    from hypactors.paths import HypHome
    from hypactors.processes import ImportProgress
    from hypactors.providers import Provider

DATASETS = frozenset({"ai_gateway_messages"})


@dataclass(slots=True)
class ProviderResult:
    """The counters of one provider's import (import §10)."""

    provider: str
    plugin: str
    datasets: tuple[str, ...]
    items_seen: int = 0
    sessions_seen: int = 0
    rows_written: int = 0
    rows_skipped: int = 0
    """Counts items without a fresh row, not rows: the name is part of the format."""
    error: str | None = None
    files: int = 0
    """How many files of history there were, whether or not they had to be read."""
    cache_id: str | None = None

    @property
    def status(self) -> str:
        return "ok" if self.error is None else "failed"

    def as_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "provider": self.provider,
            "plugin": self.plugin,
            "datasets": list(self.datasets),
            "status": self.status,
            "items_seen": self.items_seen,
            "sessions_seen": self.sessions_seen,
            "rows_written": self.rows_written,
            "rows_skipped": self.rows_skipped,
        }
        if self.error is not None:
            document["error"] = self.error
        return document


class ImportRun:
    """One run: its providers share the window."""

    def __init__(
        self,
        around: Surroundings,
        *,
        log: ImportLog,
        clock: Clock,
        show: Callable[[ImportProgress], object],
        dry_run: bool,
        no_wait: bool = False,
    ) -> None:
        """``show`` is told how far an import is, a few times a second."""
        self._around = around
        self._log = log
        self._clock = clock
        self._show = show
        self._dry_run = dry_run
        self._no_wait = no_wait

    def provider(self, provider: Provider) -> ProviderResult:
        """Import one provider. Whatever goes wrong is in the result; the others can go on.

        Raises ``ImportBusyError`` when another import of it runs and nobody wants to wait.
        """
        result = ProviderResult(provider.name, provider.plugin, tuple(provider.datasets))
        findings = Findings()
        progress = Progress(self._clock, self._show)
        engine = Engine(provider, self._around, findings, progress)
        try:
            _require_datasets(provider)
            if self._dry_run:
                engine.count()
            else:
                self._import_locked(provider, engine)
        except ImportBusyError:
            raise
        # The outermost edge of a provider, which may be another package's code. Rows that were
        # not committed yet are unfinished: the next run finds them again.
        except Exception as error:  # noqa: BLE001
            result.error = reason_of(error)
            self._log.event(
                "import_failed", level="error", provider=provider.name, reason=result.error
            )
            self._log.note(f"{provider.name}: {result.error}")
        finally:
            _fill(result, engine.imported)
            self._log.findings(provider.name, findings)
        return result

    def _import_locked(self, provider: Provider, engine: Engine) -> None:
        from hypactors.processes import ImportLock

        home, environ = self._around.home, self._around.environ

        def on_wait() -> None:
            running = f"another import of {provider.name} is running{_whose(home, provider)}"
            if self._no_wait:
                raise ImportBusyError(f"{running}; nothing was started")
            self._log.note(f"{running}; waiting for it to end")

        with ImportLock.for_import(home, provider.name, environ, on_wait) as lock:
            self._log.event("import_started", provider=provider.name)
            engine.run(in_worker=lock.close)
            self._log.event(
                "import_finished",
                provider=provider.name,
                items=engine.imported.items_seen,
                rows=engine.imported.rows_written,
            )


def _fill(result: ProviderResult, imported: Imported) -> None:
    result.items_seen = imported.items_seen
    result.sessions_seen = imported.items_fresh
    result.rows_written = imported.rows_written
    result.rows_skipped = imported.items_seen - imported.items_fresh
    result.files = imported.files
    result.cache_id = imported.cache_id


def _whose(home: HypHome, provider: Provider) -> str:
    """Return whose import it is that runs, as far as it is known: the daemon's has a record."""
    from hypactors.processes import find_live_runs

    for run in find_live_runs(home):
        if run.provider == provider.name:
            return f" (the daemon's, pid {run.pid}, since {run.started_at})"
    return ""


def _require_datasets(provider: Provider) -> None:
    unknown = [name for name in provider.datasets if name not in DATASETS]
    if unknown:
        raise ImportRunError(f"dataset not registered: {', '.join(unknown)}")
