"""Rows without a table, and a server that answers as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypactors.central import CentralUnreachableError, Reply
from hypactors.clock import ManualClock
from hypactors.forward import (
    ExportResult,
    Marks,
    Outbox,
    Poster,
    Way,
    export,
)
from hypactors.paths import HypHome
from hypactors.usage_policy import UsagePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hypactors.forward import Sent

FLEET = "https://h:443"
CACHE = "cache-1"


@dataclass(frozen=True)
class FakeRow:
    seq: int
    line: bytes
    cwd: str | None = None


@dataclass
class FakeSource:
    """Rows numbered from 1. ``dataset`` and ``signal`` are what they are sent as."""

    lines: list[bytes]
    dataset: str = "messages"
    signal: str = "proxy"
    cache_id: str | None = CACHE
    cwds: Mapping[int, str] = field(default_factory=dict)

    def rows(self, after_seq: int) -> Iterator[FakeRow]:
        for seq, line in enumerate(self.lines, start=1):
            if seq > after_seq:
                yield FakeRow(seq, line, self.cwds.get(seq))


@dataclass
class Post:
    signal: str
    body: bytes
    batch_id: str
    jwt: str

    @property
    def lines(self) -> list[bytes]:
        return self.body.splitlines()


OK = Reply(202, {}, b"", 0)


def reply(status: int, body: bytes = b"", *, retry_after: str | None = None) -> Reply:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Reply(status, headers, body, len(body))


class FakeServer:
    """Stores each batch once by its id, unless ``answer`` says something else."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.stored: dict[str, Post] = {}
        self.answer: Callable[[Post], Reply | None] = lambda _post: None
        self.refreshes = 0

    async def post_batch(self, signal: str, body: bytes, batch_id: str, jwt: str) -> Reply:
        post = Post(signal, body, batch_id, jwt)
        self.posts.append(post)
        said = self.answer(post) or OK
        if said.is_ok:
            self.stored.setdefault(batch_id, post)
        return said

    async def current_jwt(self) -> str:
        return f"jwt-{self.refreshes}"

    async def refresh(self) -> str:
        self.refreshes += 1
        return await self.current_jwt()

    def lines(self) -> list[bytes]:
        return [line for post in self.stored.values() for line in post.lines]


def answers(*replies: Reply | None) -> Callable[[Post], Reply | None]:
    """Answer in turn; afterwards everything is stored."""
    left = iter(replies)
    return lambda _post: next(left, None)


def unreachable(_post: Post) -> Reply:
    raise CentralUnreachableError("no answer")


class Lab:
    """One sink of one home."""

    def __init__(self, root: Path) -> None:
        self.home = HypHome(root)
        self.clock = ManualClock()
        self.server = FakeServer()
        self.floor = 0
        self.pauses: list[float] = []
        self.busy: list[tuple[int, float, int]] = []
        self.pause_error: Exception | None = None
        self.is_stopping: Callable[[], bool] = lambda: False
        self.sent: list[Sent] = []
        self.outbox = Outbox(self.home, "central")

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.pause_error is not None:
            raise self.pause_error

    def marks(self, dataset: str = "messages", fleet: str = FLEET) -> Marks:
        return Marks(self.home, sink="central", dataset=dataset, fleet=fleet)

    def mark(self) -> int | None:
        found = self.marks().read(CACHE)
        return None if found is None else found.seq

    async def export(self, *sources: FakeSource) -> ExportResult:
        policy = UsagePolicy.load(self.home)
        way = Way(
            poster=Poster(
                self.server,
                self.server,
                clock=self.clock,
                pause=self._pause,
                on_busy=lambda *wait: self.busy.append(wait),
            ),
            marks=self.marks,
            floor=lambda _cache_id: self.floor,
            outbox=self.outbox,
            is_withheld=policy.is_withheld,
            now=self.clock.now,
            is_stopping=self.is_stopping,
            on_sent=self.sent.append,
        )
        return await export(sources, way)


def numbered(count: int, *, start: int = 1) -> list[bytes]:
    return [b'{"n":%d}' % number for number in range(start, start + count)]


def bodies(posts: Sequence[Post]) -> list[int]:
    return [len(post.lines) for post in posts]
