"""Which lines somebody asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from hypactors.logs._lines import LogLine

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_SHORT = {"warn": "warning", "err": "error"}
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a line has to be like to be shown; None asks for nothing."""

    since: str | None = None
    least_level: int = 0
    events: tuple[str, ...] = ()
    """Patterns with ``*`` and ``?``; one of them has to match."""
    actor: str | None = None
    provider: str | None = None
    run: str | None = None
    passes: Collection[str] = ()
    """The passes that are part of the story of ``run``, beside its own lines."""

    def keeps(self, line: LogLine) -> bool:
        if self.since is not None and line.ts < self.since:
            return False
        if LEVELS.get(line.level, LEVELS["info"]) < self.least_level:
            return False
        if self.events and not self._is_event_wanted(line.event):
            return False
        return (
            _is(self.actor, line.text("actor"))
            and _is(self.provider, line.text("provider"))
            and (self.run is None or self._is_of_run(line))
        )

    def _is_event_wanted(self, event: str) -> bool:
        from fnmatch import fnmatchcase  # noqa: PLC0415 - it loads regular expressions

        return any(fnmatchcase(event, pattern) for pattern in self.events)

    def _is_of_run(self, line: LogLine) -> bool:
        return (
            self.run in {line.fields.get("run_id"), line.fields.get("daemon_run_id")}
            or line.fields.get("pass_id") in self.passes
        )


def _is(wanted: str | None, value: str | None) -> bool:
    """Say whether a value is what is wanted: ``backfill`` is each actor ``backfill:…`` too."""
    return wanted is None or (
        value is not None and (value == wanted or value.startswith(f"{wanted}:"))
    )


def parse_level(text: str) -> int:
    """Return the number of a level's name. Raises ``ValueError``."""
    level = LEVELS.get(_SHORT.get(text.lower(), text.lower()))
    if level is None:
        raise ValueError(f"expects one of {', '.join(LEVELS)} (got {text})")
    return level


def parse_since(text: str, now: datetime) -> str:
    """Return when ``1h``, ``30m``, ``2d`` or an ISO time was, as logs write it.

    Raises ``ValueError``.

    >>> parse_since("90m", datetime(2026, 1, 2, 12, 0, tzinfo=UTC))
    '2026-01-02T10:30:00.000Z'
    """
    number, unit = text[:-1], text[-1:]
    try:
        if unit in _UNITS_S and number.isascii() and number.isdecimal():
            moment = now - timedelta(seconds=int(number) * _UNITS_S[unit])
        else:
            moment = datetime.fromisoformat(text)
        utc = moment.astimezone(UTC)  # without an offset it is local time, as a person means it
    except (ValueError, OverflowError):
        raise ValueError(
            f"expects a duration such as 30m, 1h or 2d, or an ISO time (got {text})"
        ) from None
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
