"""The overview as a person reads it in a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypactors.cli._cells import bar, fitted, padded, table, width
from hypactors.cli._style import styled
from hypactors.sql import Calendar
from hypactors.words import many, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hypactors.sql import Overview, Tokens

MOST_PERIODS = 31
MOST_LINES = 10
"""Of tools and of repositories; ``--json`` has all."""

MOST_SESSIONS = 5

_NARROWEST_NAME, _WIDEST_NAME = 16, 32
_NARROWEST_BAR = 8
_KINDS = ("total", "input", "output", "reads", "writes")
_FIGURES_COLUMNS = 53
"""What the figures of a model take beside its name."""


def overview_lines(found: Overview, *, columns: int, blocks: bool, coloured: bool) -> Iterator[str]:
    """Yield the lines, none wider than the terminal unless that is very narrow."""
    totals = found.totals
    if totals.first_at is None or totals.last_at is None:
        yield f"Nothing was said since {found.since}." if found.since else "The cache is empty."
        return
    charts = _Charts(columns, blocks=blocks)

    def heading(text: str) -> str:
        return styled(text, "bold", on=coloured)

    yield heading(f"{totals.first_at[:10]} to {totals.last_at[:10]}") + _clients(found)
    counts = (
        (totals.sessions, "session"),
        (totals.messages, "message"),
        (totals.tool_calls, "tool call"),
        (totals.responses, "response"),
    )
    yield ", ".join(many(number, noun) for number, noun in counts)
    if found.model_days:
        calendar = Calendar((each.day for each in found.model_days), MOST_PERIODS)
        yield ""
        yield heading(f"Tokens by {calendar.unit} (UTC)")
        tokens: Counter[str] = Counter()
        for each in found.model_days:
            tokens[str(calendar.period_of(each.day))] += each.tokens.total
        yield from charts.bars([(str(day), tokens[str(day)], "") for day in calendar.starts])
        yield ""
        yield heading("Tokens by model (reads and writes are those of the cache)")
        yield from _models(found, columns)
    if found.tools:
        yield ""
        yield heading("Tools")
        yield from charts.bars(
            [
                (each.tool, each.calls, f"{each.errors:,} failed" if each.errors else "")
                for each in found.tools[:MOST_LINES]
            ]
        )
        yield from _more(len(found.tools), "tool")
    yield ""
    yield heading("Sessions by repository")
    yield from charts.bars(
        [
            (each.repo or "no repository", each.sessions, f"{short(each.tokens.total)} tokens")
            for each in found.repos[:MOST_LINES]
        ]
    )
    yield from _more(len(found.repos), "repository")
    yield ""
    yield heading("Longest sessions")
    yield from _sessions(found, columns)


class _Charts:
    """Bars of one width of terminal."""

    def __init__(self, columns: int, *, blocks: bool) -> None:
        self._columns = columns
        self._blocks = blocks

    def bars(self, rows: Sequence[tuple[str, int, str]]) -> Iterator[str]:
        """Yield a line for each label, number and remark."""
        most = max((number for _, number, _ in rows), default=0)
        # A label gets a third of the line: the end of a path or a remote tells most.
        labels = [_end(label, max(10, self._columns // 3)) for label, _, _ in rows]
        figures = [short(number) for _, number, _ in rows]
        remarks = [f"  {remark}" if remark else "" for _, _, remark in rows]
        widths = [max(map(width, each), default=0) for each in (labels, figures, remarks)]
        room = max(_NARROWEST_BAR, self._columns - sum(widths) - 7)
        for label, figure, remark, (_, number, _) in zip(
            labels, figures, remarks, rows, strict=True
        ):
            drawn = bar(number / most if most else 0.0, room, blocks=self._blocks)
            start = f"  {padded(label, widths[0])}  {figure:>{widths[1]}}"
            yield f"{start}{padded(remark, widths[2])}  {drawn}".rstrip()


def _end(label: str, limit: int) -> str:
    """Return the end of a label, at most ``limit`` columns wide."""
    if len(label) <= limit:
        return fitted(label, limit)
    return "…" + fitted(label[1 - limit :], limit - 1)


def _models(found: Overview, columns: int) -> Iterator[str]:
    room = min(_WIDEST_NAME, max(_NARROWEST_NAME, columns - _FIGURES_COLUMNS))
    rows = [
        (
            fitted(each.model or "unknown", room),
            f"{each.responses:,}",
            *_figures(each.tokens),
        )
        for each in found.models
    ]
    if len(rows) > 1:
        rows.append(("all", f"{found.totals.responses:,}", *_figures(found.totals.tokens)))
    header = ("model", "responses", *_KINDS)
    yield from (f"  {line}" for line in table(header, rows, (False, *[True] * 6)))


def _sessions(found: Overview, columns: int) -> Iterator[str]:
    for each in found.longest_sessions[:MOST_SESSIONS]:
        start = (
            f"  {each.first_at[:10]}  {each.messages:>7,} messages  {fitted(each.session_id, 36)}"
        )
        room = columns - width(start) - 2
        yield f"{start}  {_end(each.repo, room)}" if each.repo and room > _NARROWEST_BAR else start


def _figures(tokens: Tokens) -> tuple[str, ...]:
    numbers = (tokens.total, tokens.input, tokens.output, tokens.cache_read, tokens.cache_write)
    return tuple(map(short, numbers))


def _clients(found: Overview) -> str:
    if not found.clients:
        return ""
    names = [
        f"{fitted(each.client or 'no client', 24)} {each.sessions:,}" for each in found.clients
    ]
    return f"  (sessions: {', '.join(names)})"


def _more(count: int, noun: str) -> Iterator[str]:
    if count > MOST_LINES:
        yield f"  and {many(count - MOST_LINES, f'more {noun}')}; --json has all"
