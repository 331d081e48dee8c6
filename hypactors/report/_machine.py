"""How the machine is doing, by its status report; and what was imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hypactors.report._elements import element, table
from hypactors.words import many, minute

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

    from hypactors.report._history import ImportHistory

_STATES = {
    "never_joined": ("never joined", ""),
    "seed": ("seed", "warn"),
    "applying": ("applying", "warn"),
    "on_trial": ("on trial", "warn"),
    "converged": ("converged", "good"),
    "rolled_back": ("rolled back", "bad"),
    "stale_poll": ("stale poll", "warn"),
}
_FACTS = (
    ("running_etag", "Running config"),
    ("served_etag", "Served config"),
    ("last_poll_at", "Last poll"),
    ("confirmed_at", "Confirmed"),
    ("until", "On trial until"),
)
_TIMES = {"last_poll_at", "confirmed_at", "until"}
_GOOD = {"done", "applied", "ok"}
_BAD = {"failed", "refused"}


def machine_section(status: Mapping[str, Any]) -> ET.Element:
    """Show convergence and what wants attention; a report of an older daemon may lack both."""
    convergence = status.get("convergence")
    if not isinstance(convergence, Mapping):
        convergence = {}
    state = str(convergence.get("state", "unknown"))
    word, colour = _STATES.get(state, (state, ""))
    facts: list[tuple[str, ET.Element | str | None]] = [
        (label, _time(value) if key in _TIMES else value)
        for key, label in _FACTS
        if isinstance(value := convergence.get(key), str) and value
    ]
    source = "the running daemon" if status.get("source") == "daemon" else "files: no daemon runs"
    facts.append(("As told by", source))
    if isinstance(status.get("overall"), str):
        facts.append(("Health", status["overall"]))
    return element(
        "section",
        {"aria-labelledby": "machine"},
        element("h2", {"id": "machine"}, "Convergence with the server"),
        _badge(word, colour),
        element("dl", {"class": "facts"}, *_pairs(facts)),
        *_attention(status.get("attention")),
    )


def imports_section(history: ImportHistory) -> ET.Element:
    parts: list[ET.Element | None] = [element("h2", {"id": "imports"}, "Import history")]
    if history.marks:
        rows = [
            (
                each.name,
                _badge(each.status, _colour(each.status)),
                _time(each.at),
                each.reason or "",
                _number(each.rows),
                _number(each.files),
            )
            for each in history.marks
        ]
        header = ("Import", "State", "At", "Reason", "Rows", "Files")
        parts.append(table("Imports of this machine", header, rows, texts=4))
    if history.runs:
        runs = [
            (
                each.provider,
                _badge(each.outcome, _colour(each.outcome)),
                _time(each.started_at),
                _time(each.ended_at),
                element("code", None, each.run_id),
                _number(each.rows),
            )
            for each in history.runs
        ]
        header = ("Provider", "Outcome", "Started", "Ended", "Run", "Rows")
        parts += [
            element("h3", None, f"The last {many(len(runs), 'run')}"),
            table("Runs of imports", header, runs, texts=5),
        ]
    if len(parts) == 1:
        text = "The daemon has imported nothing; imports by hand are in the figures above."
        parts.append(element("p", {"class": "soft"}, text))
    return element("section", {"aria-labelledby": "imports"}, *parts)


def _attention(entries: object) -> list[ET.Element]:
    if not isinstance(entries, list) or not entries:
        return []
    rows = [
        (
            _badge(
                str(each.get("severity", "")), "bad" if each.get("severity") == "error" else "warn"
            ),
            str(each.get("message", "")),
            element("code", None, str(each.get("command", ""))),
        )
        for each in entries
        if isinstance(each, Mapping)
    ]
    header = ("Severity", "What", "What helps")
    return [
        element("h3", None, "Wants attention"),
        table("Wants attention", header, rows, texts=3),
    ]


def _pairs(facts: list[tuple[str, ET.Element | str | None]]) -> list[ET.Element]:
    return [
        each
        for label, value in facts
        for each in (element("dt", None, label), element("dd", None, value))
    ]


def _badge(text: str, colour: str) -> ET.Element:
    return element("span", {"class": f"badge {colour}".strip()}, text)


def _colour(state: str) -> str:
    return "good" if state in _GOOD else "bad" if state in _BAD else "warn"


def _time(moment: str | None) -> ET.Element | None:
    return None if moment is None else element("time", {"datetime": moment}, minute(moment))


def _number(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
