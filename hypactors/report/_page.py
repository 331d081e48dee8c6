"""The page: the overview, the history of imports and the state of the machine, in one file."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from hypactors.report._elements import document, element, table
from hypactors.report._machine import imports_section, machine_section
from hypactors.report._plots import Plot, drawings, grouped, legend, meter
from hypactors.report._style import STYLE
from hypactors.sql import Calendar
from hypactors.words import many, minute, short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any
    from xml.etree import ElementTree as ET

    from hypactors.report._history import ImportHistory
    from hypactors.sql import Overview, Tokens

MOST_PERIODS = 92
MOST_ROWS = 25
_TOKENS = ("Total", "Input", "Output", "Cache read", "Cache write")


def render_page(
    found: Overview,
    history: ImportHistory,
    status: Mapping[str, Any],
    *,
    made_at: str,
    version: str,
) -> bytes:
    """Return the page. It fetches nothing and runs nothing, and says so to the browser."""
    # Only this very style sheet may apply, whatever else should get into the page.
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    style = element("style")
    style.text = STYLE
    head = element(
        "head",
        None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "referrer", "content": "no-referrer"}),
        element("title", None, "Coding agents on this machine"),
        style,
    )
    body = element(
        "body",
        None,
        element(
            "header",
            None,
            element("h1", None, "Coding agents on this machine"),
            element("p", {"class": "soft"}, _window(found)),
            _tiles(found),
        ),
        element(
            "main",
            None,
            *_activity(found),
            machine_section(status),
            imports_section(history),
        ),
        element(
            "footer",
            None,
            element("p", None, f"Made {minute(made_at)} by hypactors {version}. Days are in UTC."),
        ),
    )
    return document(element("html", {"lang": "en"}, head, body))


def _window(found: Overview) -> str:
    totals = found.totals
    if totals.first_at is None or totals.last_at is None:
        if found.since:
            return f"Nothing was said since {minute(found.since)}."
        return "Nothing was imported yet: hyp backfill imports."
    clients = ", ".join(
        f"{each.client or 'no client'} ({many(each.sessions, 'session')})" for each in found.clients
    )
    return f"{totals.first_at[:10]} to {totals.last_at[:10]}: {clients}"


def _tiles(found: Overview) -> ET.Element:
    totals, tokens = found.totals, found.totals.tokens
    tiles = (
        ("Sessions", totals.sessions),
        ("Messages", totals.messages),
        ("Responses", totals.responses),
        ("Tool calls", totals.tool_calls),
        ("Input tokens", tokens.input),
        ("Output tokens", tokens.output),
        ("Cache read tokens", tokens.cache_read),
        ("Cache write tokens", tokens.cache_write),
    )
    return element(
        "dl",
        {"class": "tiles"},
        *(
            element(
                "div",
                None,
                element("dt", None, name),
                element("dd", {"title": f"{number:,}"}, short(number)),
            )
            for name, number in tiles
        ),
    )


def _activity(found: Overview) -> list[ET.Element]:
    if not found.days:
        return []
    calendar = Calendar((each.day for each in found.days), MOST_PERIODS)
    tokens = [(each.day, each.model or "unknown", each.tokens.total) for each in found.model_days]
    sessions = [(each.day, "sessions", each.sessions) for each in found.days]
    calls = [(each.day, each.tool, each.calls) for each in found.tool_days if each.calls]
    unit = calendar.unit
    sections = []
    if tokens:
        plot = Plot(
            "tokens", f"Tokens by {unit} and model", calendar, grouped(calendar, tokens), short
        )
        sections.append(_section(plot, _models(found)))
    title = "Sessions by day" if unit == "day" else f"Session days by {unit}"
    sections.append(
        _section(
            Plot("sessions", title, calendar, grouped(calendar, sessions), short),
            _repos(found),
            element("h3", None, "Longest sessions"),
            _sessions(found),
        )
    )
    if calls:
        plot = Plot("tools", f"Tool calls by {unit}", calendar, grouped(calendar, calls), short)
        sections.append(_section(plot, _tools(found)))
    return sections


def _section(plot: Plot, *more: ET.Element | None) -> ET.Element:
    heading = f"{plot.name}-heading"
    return element(
        "section",
        {"aria-labelledby": heading},
        element("h2", {"id": heading}, plot.title),
        legend(plot),
        *drawings(plot),
        element("details", None, element("summary", None, "The figures"), _figures(plot)),
        *more,
    )


def _figures(plot: Plot) -> ET.Element:
    names = list(plot.series)
    rows = [
        (
            plot.label(start),
            f"{plot.total(start):,}",
            *(f"{plot.series[name].get(start, 0):,}" for name in names if len(names) > 1),
        )
        for start in plot.calendar.starts
    ]
    header = (plot.calendar.unit.capitalize(), "All", *(names if len(names) > 1 else ()))
    return table(plot.title, header, rows)


def _models(found: Overview) -> ET.Element:
    rows = [
        (each.model or "unknown", f"{each.responses:,}", *_token_cells(each.tokens))
        for each in found.models
    ]
    return table("Tokens by model", ("Model", "Responses", *_TOKENS), rows)


def _token_cells(tokens: Tokens) -> tuple[str, ...]:
    numbers = (tokens.total, tokens.input, tokens.output, tokens.cache_read, tokens.cache_write)
    return tuple(map(short, numbers))


def _tools(found: Overview) -> ET.Element:
    most = max(each.calls for each in found.tools) or 1
    rows = [
        (each.tool, meter(each.calls / most), f"{each.calls:,}", f"{each.errors:,}")
        for each in found.tools[:MOST_ROWS]
    ]
    return _cut(
        table("Tools", ("Tool", "", "Calls", "Failed"), rows, texts=2), len(found.tools), "tool"
    )


def _repos(found: Overview) -> ET.Element:
    most = max(each.sessions for each in found.repos) or 1
    rows = [
        (
            each.repo or "no repository",
            meter(each.sessions / most),
            f"{each.sessions:,}",
            f"{each.messages:,}",
            short(each.tokens.total),
            each.last_at[:10],
        )
        for each in found.repos[:MOST_ROWS]
    ]
    header = ("Repository", "", "Sessions", "Messages", "Tokens", "Last")
    return _cut(table("Repositories", header, rows, texts=2), len(found.repos), "repository")


def _sessions(found: Overview) -> ET.Element:
    rows = [
        (
            each.session_id,
            each.client or "no client",
            each.repo or "no repository",
            element("time", {"datetime": each.first_at}, minute(each.first_at)),
            f"{each.messages:,}",
        )
        for each in found.longest_sessions
    ]
    header = ("Session", "Client", "Repository", "Began", "Messages")
    return table("Longest sessions", header, rows, texts=4)


def _cut(shown: ET.Element, count: int, noun: str) -> ET.Element:
    if count <= MOST_ROWS:
        return shown
    rest = f"and {many(count - MOST_ROWS, f'more {noun}')}"
    return element("div", None, shown, element("p", {"class": "soft"}, rest))
