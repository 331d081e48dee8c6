"""systemd's notification protocol: one datagram a message (``sd_notify(3)``)."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Notifier:
    """Tells the service manager how the daemon is. Without a manager it does nothing.

    Never raises and never blocks: a manager that does not listen must not stop a daemon.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        # An abstract address is written with an @.
        self._address = None if address is None else address.replace("@", "\0", 1)
        self.watchdog_s = watchdog_s
        """How often the manager wants to hear that all is well, if it does."""
        self._last_status = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Notifier:
        """Read what the manager has set; anything malformed counts as not set."""
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")) or len(address) == 1:
            return cls()
        watchdog_s = None
        if environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            with contextlib.suppress(ValueError):
                microseconds = int(environ.get("WATCHDOG_USEC", "0"))
                watchdog_s = microseconds / 1e6 if microseconds > 0 else None
        return cls(address, watchdog_s)

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the config is read again; ``ready`` says that it was."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in one line what the daemon does, when that has changed."""
        if text != self._last_status:
            self._last_status = text
            self._send(f"STATUS={' '.join(text.split())}")

    def _send(self, *fields: str) -> None:
        if self._address is None:
            return
        message = "\n".join(fields).encode("utf-8", "replace")
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.setblocking(False)
            sender.sendto(message, self._address)
