"""Rows become batches: bounded, in order, and the same batch under the same id each time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MOST_ROWS = 5000
MOST_BYTES = 4 * 1024 * 1024


class Row(Protocol):
    """One row on its way out: its number, the folder that it speaks of, and its line of JSON."""

    @property
    def seq(self) -> int: ...
    @property
    def cwd(self) -> str | None: ...
    @property
    def line(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows after ``start_seq`` up to ``end_seq``; ``dropped`` of them are left out."""

    start_seq: int
    end_seq: int
    lines: Sequence[bytes]
    dropped: int = 0

    @property
    def body(self) -> bytes:
        """One JSON row a line, a newline after each (central §5.2)."""
        return b"".join(line + b"\n" for line in self.lines)

    def batch_id(self, signal: str, dataset: str) -> str:
        """Return what is the same whenever this chunk is sent, from wherever the home lies.

        The dataset's name stands for the path of its table.
        """
        parts = (signal.encode(), dataset.encode(), str(self.start_seq).encode(), self.body)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]

    def halves(self) -> tuple[Chunk, Chunk]:
        """Cut the chunk in two. The places of the halves are their own: they have other ids."""
        middle = len(self.lines) // 2
        # Only the number of the whole is known to be that of its last row, and it need not be
        # finer: a mark moves when the whole has been dealt with.
        return (
            Chunk(self.start_seq, self.start_seq, self.lines[:middle]),
            Chunk(self.start_seq, self.end_seq, self.lines[middle:]),
        )


def chunks(
    rows: Iterable[Row], start_seq: int, *, is_withheld: Callable[[str | None], bool]
) -> Iterator[Chunk]:
    """Cut rows, which come in order, into batches; never more than one is held.

    A batch is full with the row that reaches a bound, so that it exceeds ``MOST_BYTES`` by one
    row at most. Rows of folders that are withheld are counted and left out. A last chunk may be
    empty: nothing is to be sent, and the mark moves past what was left out.
    """
    lines: list[bytes] = []
    size = dropped = 0
    end_seq = start_seq
    for row in rows:
        end_seq = row.seq
        if is_withheld(row.cwd):
            dropped += 1
            continue
        lines.append(row.line)
        size += len(row.line) + 1
        if len(lines) >= MOST_ROWS or size >= MOST_BYTES:
            yield Chunk(start_seq, end_seq, lines, dropped)
            lines, size, dropped, start_seq = [], 0, 0, end_seq
    if lines or dropped:
        yield Chunk(start_seq, end_seq, lines, dropped)
