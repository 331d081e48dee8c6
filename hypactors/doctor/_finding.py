"""What a check looks at, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from hypactors.lake import Lake
    from hypactors.paths import HypHome

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of one check. ``help`` is a command or what to do; empty when all is well.

    ``repair`` mends it and says what it did; it raises ``OSError``. None: that is a person's.
    """

    check: str
    level: Level
    message: str
    help: str = ""
    repair: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks may know of the machine."""

    home: HypHome
    environ: Mapping[str, str]
    now: datetime
    report: Mapping[str, Any]
    """The status report: config, daemon, link."""
    server_date: Callable[[str, float], datetime | None]
    """Asks a server without saying who asks, within so many seconds, and returns the time that it
    says it is. Raises ``OSError`` when it cannot be reached."""
    ask_catalogue: Callable[[Lake, float], None]
    """Asks a shared catalogue for the table, within so many seconds. Raises ``HypError``."""
    free_bytes: Callable[[Path], int]
    service_state: Callable[[], str | None]
    """How the service manager finds the daemon's service; None when there is no manager."""
    histories: Callable[[], list[tuple[str, int, int, str]]]
    """Of each provider its name, how many files and bytes of history it finds, and its trouble."""
