"""One export: the rows above each mark go out in batches, and the mark follows what is stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from hypactors.errors import HypError
from hypactors.forward._chunks import chunks
from hypactors.forward._marks import Mark
from hypactors.forward._poster import PostFailedError, StoppedError, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from hypactors.forward._chunks import Chunk, Row
    from hypactors.forward._marks import Marks
    from hypactors.forward._outbox import Outbox
    from hypactors.forward._poster import Poster

SIGNALS = frozenset({"logs", "traces", "metrics", "proxy"})

_PROBES = 64
"""How many posts may go into finding the rows of one batch that are refused."""

_DOUBTS = 3
"""How many batches in a row may be refused whole, before it is the server that is in doubt."""


class Source(Protocol):
    """The rows of one dataset."""

    @property
    def dataset(self) -> str: ...
    @property
    def signal(self) -> str: ...
    @property
    def cache_id(self) -> str | None:
        """Which table there is; None when there is none yet."""
        ...

    def rows(self, after_seq: int) -> Iterable[Row]:
        """Return the rows above a number, in the order of their numbers."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one dataset. ``error`` is None when all of it was dealt with."""

    dataset: str
    rows: int = 0
    batches: int = 0
    sent_bytes: int = 0
    withheld: int = 0
    set_aside: int = 0
    set_aside_lost: int = 0
    error: str | None = None
    is_stopped: bool = False


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What became of all datasets. One that failed never keeps another from being sent."""

    sent: Sequence[Sent] = field(default_factory=tuple)

    @property
    def status(self) -> str:
        """``exported``, ``partial`` or ``failed`` (central §4.1)."""
        failed = sum(each.error is not None for each in self.sent)
        if not failed:
            return "exported"
        return "failed" if failed == len(self.sent) else "partial"

    @property
    def retry(self) -> list[str]:
        return [each.dataset for each in self.sent if each.error is not None]

    @property
    def error(self) -> str | None:
        return next((each.error for each in self.sent if each.error is not None), None)


@dataclass(frozen=True, slots=True)
class Way:
    """All that an export needs besides rows.

    ``marks`` gives those of a dataset; ``floor`` the number up to which its rows are held.
    ``is_withheld`` says it of a folder, and raises ``HypError`` when it cannot tell. ``on_sent`` is
    told after each batch. ``is_stopping`` is asked between two.
    """

    poster: Poster
    marks: Callable[[str], Marks]
    floor: Callable[[str], int]
    outbox: Outbox
    is_withheld: Callable[[str | None], bool]
    now: Callable[[], datetime]
    is_stopping: Callable[[], bool] = lambda: False
    on_sent: Callable[[Sent], object] = lambda _sent: None


async def export(sources: Iterable[Source], way: Way) -> ExportResult:
    """Send what is new of each source; what a server, a disk or a row can cause is not raised."""
    sent = []
    for source in sources:
        sending = _Sending(source, way)
        try:
            await sending.run()
        except StoppedError:
            sending.sent = replace(sending.sent, is_stopped=True)
        except (HypError, OSError, ValueError) as error:
            sending.sent = replace(sending.sent, error=str(error) or type(error).__name__)
        sent.append(sending.sent)
        if sending.sent.is_stopped:
            break
    return ExportResult(sent)


class _Sending:
    """The export of one dataset."""

    def __init__(self, source: Source, way: Way) -> None:
        self._source = source
        self._way = way
        self.sent = Sent(source.dataset)
        self._marks = way.marks(source.dataset)
        self._mark = Mark(0)
        self._counted = 0
        self._doubtful: list[tuple[Chunk, str]] = []

    async def run(self) -> None:
        source = self._source
        if source.signal not in SIGNALS:
            raise PostFailedError(
                f"{source.dataset} has a signal that nobody takes: {source.signal}"
            )
        cache_id = source.cache_id
        if cache_id is None:
            return
        found = self._marks.read(cache_id)
        floor = self._way.floor(cache_id)
        self._mark = found if found is not None and found.seq >= floor else Mark(floor)
        start_seq = self._mark.seq
        for chunk in chunks(source.rows(start_seq), start_seq, is_withheld=self._way.is_withheld):
            if self._way.is_stopping():
                raise StoppedError
            await self._send(chunk, cache_id)
        if self._doubtful:
            self._judge_doubtful(cache_id)

    async def _send(self, chunk: Chunk, cache_id: str) -> None:
        """Send a batch and move the mark past it; one that is refused is looked into first."""
        refused: list[tuple[Chunk, str]] = []
        stored = await self._deliver(chunk, refused) if chunk.lines else 0
        if refused and not stored:
            # Is it these rows, or is it the server? The next batches tell.
            self._doubtful.append((chunk, refused[0][1]))
            if len(self._doubtful) > _DOUBTS:
                raise PostFailedError(f"the server refuses everything: {refused[0][1]}")
            return
        if self._doubtful:
            if not chunk.lines:  # nothing was stored that speaks for the server
                return
            self._give_up_doubtful()
        for part, reason in refused:
            self._set_aside(part, reason)
        self._advance(chunk, cache_id)

    async def _deliver(self, chunk: Chunk, refused: list[tuple[Chunk, str]]) -> int:
        """Post a batch, and cut it until what is refused stands alone; return the rows stored."""
        stored = 0
        probes = 0
        waiting = [chunk]
        while waiting:
            part = waiting.pop()
            batch_id = part.batch_id(self._source.signal, self._source.dataset)
            posted = await self._way.poster.post(self._source.signal, part.body, batch_id)
            if posted.verdict is Verdict.STORED:
                stored += len(part.lines)
                size = sum(len(line) + 1 for line in part.lines)
                self.sent = replace(
                    self.sent,
                    rows=self.sent.rows + len(part.lines),
                    batches=self.sent.batches + 1,
                    sent_bytes=self.sent.sent_bytes + size,
                )
                self._way.on_sent(self.sent)
            elif len(part.lines) == 1 or probes >= _PROBES:
                refused.append((part, posted.reason))
            else:
                first, second = part.halves()
                waiting += [second, first]
            probes += 1
        return stored

    def _judge_doubtful(self, cache_id: str) -> None:
        """Decide on batches that were refused whole when nothing came after them.

        A server that has stored something before, or a few rows alone: then it is the rows.
        """
        last, reason = self._doubtful[-1]
        few = sum(len(chunk.lines) for chunk, _ in self._doubtful) <= _DOUBTS
        if not (few or self.sent.rows):
            raise PostFailedError(f"the server refuses everything: {reason}")
        self._give_up_doubtful()
        self._move_mark(last, cache_id)

    def _give_up_doubtful(self) -> None:
        for chunk, reason in self._doubtful:
            self._set_aside(chunk, reason)
            self.sent = replace(self.sent, withheld=self.sent.withheld + chunk.dropped)
        self._doubtful = []

    def _set_aside(self, chunk: Chunk, reason: str) -> None:
        batch_id = chunk.batch_id(self._source.signal, self._source.dataset)
        count = len(chunk.lines)
        is_kept = self._way.outbox.set_aside(batch_id, chunk.lines, reason, self._way.now())
        self.sent = replace(
            self.sent,
            set_aside=self.sent.set_aside + count,
            set_aside_lost=self.sent.set_aside_lost + (0 if is_kept else count),
        )

    def _advance(self, chunk: Chunk, cache_id: str) -> None:
        self.sent = replace(self.sent, withheld=self.sent.withheld + chunk.dropped)
        self._move_mark(chunk, cache_id)

    def _move_mark(self, chunk: Chunk, cache_id: str) -> None:
        """Note that all up to the end of the batch has been dealt with; only then it is true."""
        rows = self.sent.rows - self._counted
        self._counted = self.sent.rows
        self._mark = Mark(chunk.end_seq, self._mark.rows + rows)
        self._marks.write(cache_id, self._mark, self._way.now())
