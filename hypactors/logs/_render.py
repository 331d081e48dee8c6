"""A line of a log for a person: time, level, event, and then what it is about."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.logs._lines import LogLine

_SAID = frozenset({"ts", "level", "event", "pid", "mode", "daemon_run_id", "traceback"})
_LIMIT = 400
_STYLES = {"warning": "yellow", "error": "red", "critical": "red", "debug": "dim"}


def render(line: LogLine, styled: Callable[[str, str], str]) -> str:
    """Return one line of text that can do nothing to a terminal; the time is local.

    ``styled`` is given a text and the name of a style.
    """
    level = _clean(line.level)[:8]
    style = _STYLES.get(line.level)
    level = f"{level:<7}" if style is None else styled(f"{level:<7}", style)
    about = " ".join(
        f"{styled(_clean(key) + '=', 'dim')}{_value(value)}"
        for key, value in line.fields.items()
        if key not in _SAID
    )
    return f"{_local(line.ts)} {level} {styled(_clean(line.event), 'bold')} {about}".rstrip()


def _local(ts: str) -> str:
    try:
        moment = datetime.fromisoformat(ts).astimezone()
    except (ValueError, OverflowError):
        return _clean(ts)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    clean = _clean(text)
    return f'"{clean}"' if not clean or " " in clean else clean


def _clean(text: str) -> str:
    """Escape what is not printable: values come from files, servers and children."""
    cut = text if len(text) <= _LIMIT else f"{text[: _LIMIT - 1]}…"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut
    )
