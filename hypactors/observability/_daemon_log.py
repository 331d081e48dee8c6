"""The daemon's log: JSON lines in a file that rotates, readable lines for whoever watches.

Every line carries ``ts, level, event, pid, mode, daemon_run_id``; then ``actor``, ``provider`` and
``run_id`` where they apply (contract §10).
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
from typing import TYPE_CHECKING, TextIO

import structlog

from hypactors.clock import iso_ms
from hypactors.files import ensure_private_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import TextIOWrapper

    from structlog.typing import EventDict, FilteringBoundLogger

    from hypactors.clock import Clock
    from hypactors.paths import HypHome

_FIXED_KEYS = ("ts", "level", "event", "pid", "mode", "daemon_run_id")
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class DaemonLog:
    """An open log. :meth:`logger` gives loggers; :meth:`close` flushes the file."""

    def __init__(
        self,
        home: HypHome,
        *,
        clock: Clock,
        mode: str,
        daemon_run_id: str,
        max_bytes: int,
        files: int,
        stderr: TextIO,
    ) -> None:
        ensure_private_dir(home.log_file.parent)
        self._file = _PrivateRotatingFile(
            home.log_file, maxBytes=max_bytes, backupCount=files - 1, encoding="utf-8"
        )
        self._stderr = stderr
        # Somebody who watches sees everything; a service manager's journal only what is wrong.
        self._stderr_from = _LEVELS["info"] if stderr.isatty() else _LEVELS["warning"]
        logging.getLogger("pykka").disabled = True  # the supervisor says what crashed, and once
        self._root: FilteringBoundLogger = structlog.wrap_logger(
            self,
            processors=[self._stamp(clock, mode, daemon_run_id), self._write],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=True,
        )

    def logger(self, **bound: object) -> FilteringBoundLogger:
        """Return a logger with these values on each of its lines."""
        return self._root.bind(**bound)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk costs log lines and nothing else
            self._file.close()

    # structlog calls the method of the level's name with what the last processor returned; ours
    # has written the line already.
    def info(self) -> None: ...

    warning = warn = error = critical = info

    @staticmethod
    def _stamp(
        clock: Clock, mode: str, daemon_run_id: str
    ) -> Callable[[object, str, EventDict], EventDict]:
        def stamp(_logger: object, method: str, event: EventDict) -> EventDict:
            fixed = {
                "ts": iso_ms(clock.now()),
                "level": {"warn": "warning"}.get(method, method),
                "event": event.pop("event"),
                "pid": os.getpid(),
                "mode": mode,
                "daemon_run_id": daemon_run_id,
            }
            return fixed | {key: value for key, value in event.items() if value is not None}

        return stamp

    def _write(
        self, _logger: object, _method: str, event: EventDict
    ) -> tuple[tuple[()], dict[str, object]]:
        level = _LEVELS[event["level"]]
        # ASCII: a lone surrogate in a file name costs nothing, and characters are bytes.
        line = json.dumps(event, default=str, separators=(",", ":"))
        self._file.handle(logging.LogRecord("hypactors", level, "", 0, line, None, None))
        if level >= self._stderr_from:
            self._tell_person(event)
        return (), {}

    def _tell_person(self, event: EventDict) -> None:
        try:
            self._stderr.write(readable_line(event) + "\n")
            self._stderr.flush()
        except (OSError, ValueError):
            pass  # a terminal that went away must not stop the daemon


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """Owner-only files, and a full disk that costs log lines and nothing else."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(
            self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        return open(descriptor, "a", encoding=self.encoding)  # noqa: PTH123 - a descriptor, not a path

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        del record


def readable_line(event: EventDict) -> str:
    """Render one event for a terminal: time, level, event, then what it is about.

    Control characters are escaped: values come from files and children.
    """
    about = " ".join(
        f"{key}={_readable(value)}"
        for key, value in event.items()
        if key not in _FIXED_KEYS and key != "traceback"
    )
    time = str(event["ts"])[11:19]
    return f"{time} {event['level']:<7} {event['event']} {about}".rstrip()


def _readable(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f'"{escaped}"' if not escaped or " " in escaped else escaped
