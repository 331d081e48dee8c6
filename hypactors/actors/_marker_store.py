"""The sole writer of ``client-actions.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypactors.actions import (
    MarkerBook,
    marker_after,
    read_markers,
    rearm,
    retry_delay_s,
    save_markers,
    set_aside,
)
from hypactors.actors._names import MARKER_STORE, RECONCILER
from hypactors.files import remove_leftovers
from hypactors.messages import (
    DescribeMarkers,
    ForgetMarker,
    MarkersRead,
    MarkerStoreReady,
    OutcomeRecorded,
    OutcomeStatus,
    ReadMarkers,
    RearmMarker,
    RecordOutcome,
)
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from hypactors.clock import Clock
    from hypactors.paths import HypHome
    from hypactors.supervision import ChildContext, Directory, Timers

SAVE_AGAIN_S = 5.0
"""How long after a failed write (a full disk, say) the same write is tried again."""


@dataclass(frozen=True, slots=True)
class RetryBounds:
    """The shortest and the longest wait before a failed action is tried again."""

    min_s: float
    max_s: float


class MarkerStore(SupervisedActor):
    """Reads the file once, then serves from memory; acknowledges only what is on disk."""

    def __init__(
        self,
        context: ChildContext,
        *,
        home: HypHome,
        directory: Directory,
        clock: Clock,
        timers: Timers,
        retry: RetryBounds,
        random: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._home = home
        self._directory = directory
        self._clock = clock
        self._timers = timers
        self._retry = retry
        self._random = random
        self._log = log.bind(actor=MARKER_STORE)
        self._book = MarkerBook()
        self._damage: tuple[str, ...] = ()

    def setup(self) -> None:
        remove_leftovers(self._home.control_dir, self._home.marker_file.name)
        loaded = read_markers(self._home)
        self._book = loaded.book
        self._damage = loaded.problems
        if self._damage:
            self._write(self._book)
        self._directory.tell(RECONCILER, MarkerStoreReady())

    def receive(self, message: Any) -> Any:
        match message:
            case ReadMarkers(planning=planning):
                self._directory.tell(RECONCILER, MarkersRead(planning, self._book))
            case RecordOutcome():
                self._record(message)
            case ForgetMarker(kind=kind, request_key=request_key):
                self._save(self._book.without(kind, request_key), message)
            case RearmMarker(kind=kind, request_key=request_key):
                book = rearm(self._book, kind, request_key, self._clock.now())
                if book is not None:
                    self._save(book, message)
            case DescribeMarkers():
                return self._book
            case _:
                return super().receive(message)
        return None

    def _record(self, message: RecordOutcome) -> None:
        if message.undone:
            done = message.outcome.status is OutcomeStatus.DONE
            book = self._book.without(message.kind, message.request_key) if done else self._book
            if self._save(book, message):
                self._acknowledge(OutcomeRecorded(message))
            return
        previous = self._book.get(message.kind, message.request_key)
        now = self._clock.now()
        marker = marker_after(
            previous, message.request_key, message.outcome, now=now, run_id=message.run_id
        )
        retry_in_s = None
        if marker is previous:  # a replay: the wait has begun already
            if marker.next_attempt_at is not None:
                retry_in_s = max(0.0, (marker.next_attempt_at - now).total_seconds())
        elif message.outcome.status is OutcomeStatus.FAILED:
            retry_in_s = retry_delay_s(
                marker.attempts or 1,
                min_s=self._retry.max_s if message.outcome.is_hopeless_soon else self._retry.min_s,
                max_s=self._retry.max_s,
                jitter=self._random(),
            )
            marker = marker.with_next_attempt_at(now, retry_in_s)
        if self._save(self._book.with_marker(message.kind, message.request_key, marker), message):
            self._acknowledge(OutcomeRecorded(message, marker.attempts, retry_in_s))

    def _acknowledge(self, recorded: OutcomeRecorded) -> None:
        self._directory.tell(RECONCILER, recorded)
        if recorded.recorded.runner is not None:
            self._directory.tell(recorded.recorded.runner, recorded)

    def _save(self, book: MarkerBook, message: object) -> bool:
        """Put ``book`` on disk and adopt it; on failure do all of ``message`` again later."""
        if book == self._book:
            return True
        if not self._write(book):
            self._timers.call_later(
                SAVE_AGAIN_S, lambda: self._directory.tell(MARKER_STORE, message)
            )
            return False
        self._book = book
        return True

    def _write(self, book: MarkerBook) -> bool:
        """Replace the file; what was damaged in it is set aside first, and never lost."""
        try:
            if self._damage:
                aside = set_aside(self._home, self._clock.now())
                self._log.warning(
                    "marker_file_set_aside",
                    path=str(self._home.marker_file),
                    kept_as=None if aside is None else str(aside),
                    problems=list(self._damage),
                )
                self._damage = ()
            save_markers(self._home, book)
        except OSError as error:
            self._log.error(
                "marker_write_failed", path=str(self._home.marker_file), detail=str(error)
            )
            return False
        return True
