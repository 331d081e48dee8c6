"""The overview for a terminal: numbers with units, and bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.status import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hypactors.sql import Counted, DatasetInfo, Overview, Tokens

_NARROW, _WIDE = 40, 120
_NAME_WIDTH = 34
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_DAYS = 31
"""Older days are not drawn; ``--since`` and ``--json`` have them."""


def overview_lines(found: Overview, columns: int, encoding: str) -> Iterator[str]:
    """Yield the lines, none of them wider than ``columns``."""
    width = max(_NARROW, min(columns, _WIDE))
    bar = _Bar(width - 30, has_blocks=_can_print(_EIGHTHS, encoding))
    if not found.rows:
        yield "nothing to show"
        return
    lines = [
        ", ".join(
            f"{_number(count)} {name}"
            for count, name in (
                (found.sessions, "sessions"),
                (found.messages, "messages"),
                (found.rows, "rows"),
            )
        ),
        f"from {(found.first_at or '')[:10]} to {(found.last_at or '')[:10]} (UTC)",
        _tokens(found.tokens),
        *_part("tokens by model", _bars(found.models, bar)),
        *_part("tokens by day", _bars(found.days[-_DAYS:], bar)),
        *_part("tokens by repository", _bars(found.repositories, bar)),
        *_part("tools", _tools(found, bar)),
        *_part("largest sessions", _sessions(found)),
    ]
    for line in lines:
        yield line[:width].rstrip()


def dataset_lines(found: Sequence[DatasetInfo]) -> Iterator[str]:
    for dataset in found:
        size = "" if dataset.size_bytes is None else f", {_number(dataset.size_bytes)}B"
        files = "" if dataset.files is None else f" in {dataset.files} files"
        yield f"{dataset.name}: {dataset.rows:,} rows{files}{size}"
        for client in dataset.clients:
            yield (
                f"  {clean(client.client)}  {client.rows:,} rows, {client.sessions:,} sessions,"
                f" {client.first_at[:10]} to {client.last_at[:10]}"
            )


class _Bar:
    """Draws a share of the longest one, in eighths of a character where they can be shown."""

    def __init__(self, width: int, *, has_blocks: bool) -> None:
        self._width = max(4, width - _NAME_WIDTH)
        self._has_blocks = has_blocks

    def of(self, value: int, largest: int) -> str:
        if value <= 0 or largest <= 0:
            return ""
        if not self._has_blocks:
            return "#" * max(1, round(self._width * value / largest))
        eighths = max(1, round(8 * self._width * value / largest))
        return _EIGHTHS[-1] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _part(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _bars(rows: Sequence[Counted], bar: _Bar) -> list[str]:
    largest = max((row.tokens.total for row in rows), default=0)
    width = _name_width([row.name for row in rows])
    return [
        f"{_name(row.name, width)}  {_number(row.tokens.total):>7}  {row.responses:>7,} responses"
        f"  {bar.of(row.tokens.total, largest)}"
        for row in rows
    ]


def _tools(found: Overview, bar: _Bar) -> list[str]:
    largest = max((tool.calls for tool in found.tools), default=0)
    width = _name_width([tool.name for tool in found.tools])
    return [
        f"{_name(tool.name, width)}  {tool.calls:>7,}  {tool.errors:>7,} errors   "
        f"  {bar.of(tool.calls, largest)}"
        for tool in found.tools
    ]


def _sessions(found: Overview) -> list[str]:
    return [
        f"{each.started_at[:16].replace('T', ' ')}  {_number(each.tokens.total):>7}"
        f"  {each.messages:>6,} messages  {clean(each.session_id, 12)}"
        f"  {clean(each.repository or '')}"
        for each in found.largest_sessions
    ]


def _tokens(tokens: Tokens) -> str:
    return (
        f"tokens: {_number(tokens.input)} in, {_number(tokens.output)} out,"
        f" {_number(tokens.cache_read)} read from the model's cache,"
        f" {_number(tokens.cache_write)} written to it"
    )


def _name_width(names: Sequence[str]) -> int:
    return min(_NAME_WIDTH, max((len(clean(name)) for name in names), default=0))


def _name(name: str, width: int) -> str:
    return f"{clean(name, width):<{width}}"


def _number(value: int) -> str:
    """Return three digits and a unit.

    >>> [_number(each) for each in (0, 999, 1_234, 45_639_581, 999_999)]
    ['0', '999', '1.23k', '45.6M', '1.00M']
    """
    amount = float(value)
    for unit in ("", "k", "M", "G", "T", "P"):
        if amount < 999.5 or unit == "P":  # noqa: PLR2004 - what would be rounded to a thousand
            digits = 0 if not unit else 2 if amount < 9.995 else 1 if amount < 99.95 else 0  # noqa: PLR2004
            return f"{amount:.{digits}f}{unit}"
        amount /= 1000
    raise AssertionError


def _can_print(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
