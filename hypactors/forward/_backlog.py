"""What a sink has yet to be sent, told from numbers alone: no row is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backlog:
    """``behind`` are the rows that go with the next exports, ``held`` those that may not go yet.

    No row is in both. Rows of local-only folders are among them until an export has looked at them.
    """

    behind: int
    held: int


def backlog(end_seq: int, *, mark_seq: int, floor: int, is_held: bool) -> Backlog:
    """Count what lies above a mark in a cache that goes up to ``end_seq``.

    Rows up to ``floor`` belong to another fleet, and are held apart from the mark; ``is_held`` says
    that nothing at all may go. Those that retention took away count as if they were there.
    """
    behind = max(0, end_seq - max(mark_seq, floor))
    # A mark above the floor began there: what was sent below it before is not known any more.
    held = floor - (mark_seq if mark_seq < floor else 0)
    return Backlog(0, held + behind) if is_held else Backlog(behind, held)
