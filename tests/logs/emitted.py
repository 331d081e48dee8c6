"""Finds what the package logs, by reading its source: names, levels and fields of events."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "hypactors"

LEVELS = {"debug", "info", "warning", "error", "critical"}
CHOSEN_BEFORE = {"info", "warning", "error"}
"""What a level can be that is chosen in the line before the call."""

PASSES_ON = {"hypactors/importing/_engine.py": {"_log": "provider"}}
"""Methods that log what they are given, and add a field of their own."""


@dataclass(slots=True)
class Emitted:
    """What is logged under one name, at all places together."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    has_more: bool = False
    """Whether a place adds fields that only the run tells (``**told``)."""


def emitted() -> tuple[dict[str, Emitted], list[str]]:
    """Return the events by name, and the places where a name is not to be read from the source."""
    events: dict[str, Emitted] = defaultdict(Emitted)
    unclear: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = str(path.relative_to(PACKAGE.parent))
        own = PASSES_ON.get(place, {})
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not (levels := _levels_of(node, own)):
                continue
            name = node.args[0] if node.args else None
            if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
                unclear.append(f"{place}: {ast.unparse(node).partition(',')[0]}")
                continue
            _note(events[name.value], node, levels, own)
    return events, unclear


def _note(found: Emitted, call: ast.Call, levels: set[str], own: dict[str, str]) -> None:
    found.levels |= levels
    for keyword in call.keywords:
        if keyword.arg is None:
            found.has_more = True
        elif keyword.arg != "level":
            found.fields.add(keyword.arg)
    if isinstance(call.func, ast.Attribute) and call.func.attr in own:
        found.fields.add(own[call.func.attr])


def _levels_of(call: ast.Call, own: dict[str, str]) -> set[str]:
    """Return the levels of a call that logs; empty for any other call."""
    match call.func:
        case ast.Name(id="log"):
            return CHOSEN_BEFORE
        case ast.Attribute(value=ast.Name(id="self"), attr=attr) if attr == "event" or attr in own:
            return _own_level(call)
        case ast.Attribute(attr="event") if _is_log(call.func.value):
            return _own_level(call)
        case ast.Attribute(attr=attr) if attr in LEVELS and _is_log(call.func.value):
            return {attr}
        case _:
            return set()


def _own_level(call: ast.Call) -> set[str]:
    level = next((each.value for each in call.keywords if each.arg == "level"), None)
    if level is None:
        return {"info"}
    return {str(level.value)} if isinstance(level, ast.Constant) else CHOSEN_BEFORE


def _is_log(value: ast.expr) -> bool:
    name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
    return name in {"log", "_log"}
