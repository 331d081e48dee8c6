"""What an event of the log is, for whoever reads or watches it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["debug", "info", "warning", "error", "critical"]


class Event(NamedTuple):
    """One event: its name is stable, and so are its fields, which may be absent.

    On every line besides: ``ts, level, event, pid, mode``, the daemon's ``daemon_run_id``, and
    ``actor``, ``provider`` and ``run_id`` where they apply.
    """

    name: str
    levels: tuple[Level, ...]
    fields: tuple[str, ...]
    meaning: str
