"""What a service manager is to run, whichever it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.errors import HypError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "hypactors"
STOP_MARGIN_S = 10.0
WATCHDOG_S = 60
RESTART_AFTER_S = 5

EXIT_USAGE, EXIT_HOME_BUSY, EXIT_GAVE_UP, EXIT_RESTART = 2, 5, 70, 75


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One daemon: ``command`` is absolute, ``home`` its ``HYP_HOME``, ``log_dir`` inside it.

    ``stop_s`` is what a stop may take: the settle budget, the grace and a margin.
    """

    command: tuple[str, ...]
    home: Path
    is_default_home: bool
    log_dir: Path
    stop_s: float

    @property
    def name(self) -> str:
        """Return the service's name: daemons of several homes do not get in each other's way."""
        if self.is_default_home:
            return NAME
        return f"{NAME}-{hashlib.blake2b(bytes(self.home), digest_size=4).hexdigest()}"

    def check(self) -> None:
        """Raise ``HypError`` for a path that no service file can hold."""
        for word in (*self.command, str(self.home)):
            if any(char in word for char in "\n\r\0"):
                raise HypError(f"a service file cannot hold a line break: {word!r}")
