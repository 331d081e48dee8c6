"""The one writer of the table: batches that wait together are committed together.

A commit takes a good part of a second however small it is, so that a fleet is served by making
each one carry all that has come in.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypactors.cache import MessageWriter
from hypactors.central.server._store import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from hypactors.central.server._store import Store
    from hypactors.lake import Lake

MOST_WAITING = 64
"""How many batches may wait; whoever comes then is told to come again."""

_MOST_ROWS = 50_000


class BusyError(Exception):
    """Too much waits already."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows in column order, of one gateway. ``done`` gives how many of them were new."""

    id: str
    gateway: str
    rows: Sequence[tuple[object, ...]]
    done: Future[int] = field(default_factory=Future)


class Ingester:
    """Commits on a thread of its own."""

    def __init__(self, lake: Lake, store: Store, log: FilteringBoundLogger) -> None:
        self._lake = lake
        self._store = store
        self._log = log
        self._waiting: queue.Queue[Batch | None] = queue.Queue()
        self._writer: MessageWriter | None = None
        self._thread = threading.Thread(target=self._run, name="ingester")
        self._thread.start()

    def submit(self, batch: Batch) -> Future[int]:
        """Take a batch in. Its future is settled when the rows are committed, or could not be.

        Raises ``BusyError``.
        """
        if self._waiting.qsize() >= MOST_WAITING:
            raise BusyError
        self._waiting.put(batch)
        return batch.done

    def close(self) -> None:
        """Commit what has been taken in, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batches, is_open = self._next()
            if not batches:
                continue
            try:
                self._commit(batches)
            except Exception as error:  # noqa: BLE001 - a store of rows may fail in any way
                self._log.error("batches_failed", batches=len(batches), detail=str(error))
                self._writer = None  # open it anew: it may know less than the table by now
                for batch in batches:
                    if not batch.done.done():
                        batch.done.set_exception(error)

    def _next(self) -> tuple[list[Batch], bool]:
        """Wait for a batch, and take the ones that wait with it."""
        batches: list[Batch] = []
        rows = 0
        while not batches or (rows < _MOST_ROWS and not self._waiting.empty()):
            batch = self._waiting.get()
            if batch is None:
                return batches, False
            batches.append(batch)
            rows += len(batch.rows)
        return batches, True

    def _commit(self, batches: Sequence[Batch]) -> None:
        known = self._store.known_batches(batch.id for batch in batches)
        fresh = {batch.id: batch for batch in batches if batch.id not in known}
        new_rows = self._write(list(fresh.values())) if fresh else {}
        if fresh:
            self._store.stored(
                [(batch.id, batch.gateway, new_rows[batch.id]) for batch in fresh.values()],
                utc_now(),
            )
            self._log.info("batches_stored", batches=len(fresh), rows=sum(new_rows.values()))
        for batch in batches:
            is_first = fresh.get(batch.id) is batch
            batch.done.set_result(new_rows[batch.id] if is_first else 0)

    def _write(self, batches: Sequence[Batch]) -> dict[str, int]:
        """Commit the rows of all batches; return how many of each were new."""
        if self._writer is None:
            self._writer = MessageWriter(self._lake, run_id="ingest")
        rows = [row for batch in batches for row in batch.rows]
        done = self._writer.commit(
            rows, summary={"hyp.batch-ids": " ".join(batch.id for batch in batches)}
        )
        counts: dict[str, int] = {}
        position = 0
        fresh = iter(done.fresh)
        index = next(fresh, None)
        for batch in batches:
            position += len(batch.rows)
            count = 0
            while index is not None and index < position:
                count += 1
                index = next(fresh, None)
            counts[batch.id] = count
        return counts
