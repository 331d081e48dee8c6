"""Import the history of one provider after the other, a bounded batch at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypactors.errors import HypError, ImportBusyError, ImportRunError
from hypactors.providers import Findings, ScanContext, expand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypactors.cache import MessageWriter
    from hypactors.cli._import_log import ImportLog
    from hypactors.cli._stop_signals import StopSignals
    from hypactors.paths import HypHome
    from hypactors.providers import Provider, Row, Window

DATASETS = frozenset({"ai_gateway_messages"})

# A commit costs some 50 ms and a few small files; a batch costs about 3 KB a row in memory.
MAX_BATCH_ROWS = 10_000
MAX_BATCH_BYTES = 32 * 1024 * 1024
_ROW_BYTES = 600


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


@dataclass(slots=True)
class _Batch:
    """Rows that wait for a commit, and the item that each is of."""

    rows: list[Row] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    size_bytes: int = 0
    files: int = 0

    def add(self, row: Row, item: int) -> None:
        self.rows.append(row)
        self.items.append(item)
        # The columns that can be long; the rest is about the same for all.
        self.size_bytes += (
            _ROW_BYTES
            + len(row.content_text or "")
            + len(row.tool_args or "")
            + len(row.attributes)
            + len(row.thinking_signature or "")
        )

    @property
    def is_full(self) -> bool:
        return len(self.rows) >= MAX_BATCH_ROWS or self.size_bytes >= MAX_BATCH_BYTES


class ImportRun:
    """One run: its providers share the window, and what is known of the table."""

    def __init__(
        self,
        *,
        run_id: str,
        home: HypHome,
        environ: Mapping[str, str],
        window: Window,
        is_configured: Callable[[str], bool],
        now_ms: int,
        log: ImportLog,
        stop: StopSignals,
        dry_run: bool,
        no_wait: bool = False,
    ) -> None:
        self._run_id = run_id
        self._home = home
        self._environ = environ
        self._window = window
        self._is_configured = is_configured
        self._now_ms = now_ms
        self._log = log
        self._stop = stop
        self._dry_run = dry_run
        self._no_wait = no_wait
        self._opened: MessageWriter | None = None

    def provider(self, provider: Provider) -> ProviderResult:
        """Import one provider. Whatever goes wrong is in the result; the others can go on.

        Raises ``ImportBusyError`` when another import of it runs and nobody wants to wait.
        """
        result = ProviderResult(provider.name, provider.plugin, tuple(provider.datasets))
        findings = Findings()
        try:
            _require_datasets(provider)
            if self._dry_run:
                self._read(provider, result, findings)
            else:
                self._import_locked(provider, result, findings)
        except ImportBusyError:
            raise
        # The outermost edge of a provider, which may be another package's code. Rows that were
        # not committed yet are unfinished: the next run finds them again.
        except Exception as error:  # noqa: BLE001
            result.error = _reason(error)
            self._log.event(
                "import_failed", level="error", provider=provider.name, reason=result.error
            )
            self._log.note(f"{provider.name}: {result.error}")
        finally:
            self._log.findings(provider.name, findings)
        return result

    def _import_locked(
        self, provider: Provider, result: ProviderResult, findings: Findings
    ) -> None:
        from hypactors.processes import ImportLock

        def on_wait() -> None:
            running = f"another import of {provider.name} is running{_whose(self._home, provider)}"
            if self._no_wait:
                raise ImportBusyError(f"{running}; nothing was started")
            self._log.note(f"{running}; waiting for it to end")

        with ImportLock.for_import(self._home, provider.name, self._environ, on_wait):
            self._log.event("import_started", provider=provider.name)
            self._read(provider, result, findings)
            self._log.event(
                "import_finished",
                provider=provider.name,
                items=result.items_seen,
                rows=result.rows_written,
            )

    def _read(self, provider: Provider, result: ProviderResult, findings: Findings) -> None:
        scan = provider.scan(
            ScanContext(
                window=self._window,
                environ=self._environ,
                home=self._home,
                is_configured=self._is_configured,
                findings=findings,
            )
        )
        fresh_items: set[int] = set()
        batch = _Batch()
        for source in scan.sources:
            batch.files += 1
            for exchange in scan.exchanges(source):
                result.items_seen += 1
                if self._dry_run:
                    result.sessions_seen += 1
                    continue
                for row in expand(exchange, now_ms=self._now_ms):
                    batch.add(row, result.items_seen)
                    if batch.is_full:
                        self._commit(provider, batch, result, fresh_items)
                        batch = _Batch(files=1)
        if batch.rows:
            self._commit(provider, batch, result, fresh_items)
        if not self._dry_run:
            result.sessions_seen = len(fresh_items)
            result.rows_skipped = result.items_seen - len(fresh_items)

    def _commit(
        self, provider: Provider, batch: _Batch, result: ProviderResult, fresh_items: set[int]
    ) -> None:
        with self._stop.shield():
            committed = self._writer().commit(batch.rows, files=batch.files)
            fresh_items.update(batch.items[index] for index in committed.fresh)
            result.rows_written += len(committed.fresh)
            if committed.snapshot_id is not None:
                self._log.event(
                    "batch_committed",
                    provider=provider.name,
                    rows=len(committed.fresh),
                    rows_total=result.rows_written,
                    snapshot_id=committed.snapshot_id,
                )

    def _writer(self) -> MessageWriter:
        if self._opened is None:
            from hypactors.cache import Lake, MessageWriter

            self._opened = MessageWriter(Lake.of(self._home), run_id=self._run_id)
        return self._opened


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


def _reason(error: Exception) -> str:
    """Return one line for the marker and the person, never a stack trace."""
    text = " ".join(str(error).split())
    if isinstance(error, HypError | OSError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
