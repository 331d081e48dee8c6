"""The status report: collected from a live daemon or from its files, and shown as text.

Names are loaded when they are first asked for: showing a report that a daemon made must not pay
for what it takes to make one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypactors.status._collect import collect_report
    from hypactors.status._explain import explain, find_row
    from hypactors.status._live import LiveActor, LiveDaemon, LiveImport, LiveState
    from hypactors.status._reading import object_of, rows_of
    from hypactors.status._render import render_text
    from hypactors.status._render_actions import render_actions
    from hypactors.status._report import Report
    from hypactors.status._text import clean

__all__ = [
    "LiveActor",
    "LiveDaemon",
    "LiveImport",
    "LiveState",
    "Report",
    "clean",
    "collect_report",
    "explain",
    "find_row",
    "object_of",
    "render_actions",
    "render_text",
    "rows_of",
]

_MODULES = {
    "LiveActor": "_live",
    "LiveDaemon": "_live",
    "LiveState": "_live",
    "Report": "_report",
    "LiveImport": "_live",
    "clean": "_text",
    "collect_report": "_collect",
    "explain": "_explain",
    "find_row": "_explain",
    "object_of": "_reading",
    "rows_of": "_reading",
    "render_actions": "_render_actions",
    "render_text": "_render",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
