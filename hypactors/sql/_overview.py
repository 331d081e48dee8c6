"""What the rows come to: tokens by model and day, sessions, tools, repositories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.sql._query import iso_text, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypactors.lake import Lake
    from hypactors.sql._query import OpenCache

MOST = 12
"""How many of the sessions, tools and repositories are told, the largest first."""

_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts of tokens; the input is without what came from the model's cache (import §7)."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class Counted:
    """A model, a day, a repository, and what goes with it."""

    name: str
    sessions: int
    responses: int
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Session:
    """One session. Times are ISO-8601 in UTC."""

    session_id: str
    client: str | None
    repository: str | None
    started_at: str
    ended_at: str
    messages: int
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, how often it was called, and how many results were errors."""

    name: str
    calls: int
    errors: int


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it, from ``since`` on (an ISO time; None: from the beginning)."""

    since: str | None
    rows: int
    sessions: int
    messages: int
    first_at: str | None
    last_at: str | None
    tokens: Tokens
    models: Sequence[Counted]
    days: Sequence[Counted]
    repositories: Sequence[Counted]
    largest_sessions: Sequence[Session]
    tools: Sequence[Tool]


def overview(lake: Lake, *, since: str | None = None, timeout_s: float | None = None) -> Overview:
    """Ask all of it of one snapshot. Raises ``HypError`` when the cache cannot be read."""
    with opened(lake, timeout_s=timeout_s) as cache:
        _prepare(cache, since)
        [(rows, sessions, messages, first, last)] = cache.all(
            "SELECT count(*), count(DISTINCT session_id),"
            f" count(DISTINCT message_id), {_FIRST}, {_LAST} FROM told"
        )
        [total] = _counted(cache, "''", "used", "1")
        return Overview(
            since=since,
            rows=rows,
            sessions=sessions,
            messages=messages,
            first_at=first,
            last_at=last,
            tokens=total.tokens,
            models=_counted(cache, "coalesce(model, '(unknown)')", "used", _BY_TOKENS),
            days=_counted(cache, "strftime(happened, '%Y-%m-%d')", "used", "1"),
            repositories=_counted(cache, _REPOSITORY, "used", f"{_BY_TOKENS} LIMIT {MOST}"),
            largest_sessions=_sessions(cache),
            tools=_tools(cache),
        )


_FIRST, _LAST = iso_text("min(happened)"), iso_text("max(happened)")
_BY_TOKENS = "sum(total) DESC NULLS LAST, 1"
_REPOSITORY = "coalesce(git_remote, repo_root, cwd, '(unknown)')"


def _prepare(cache: OpenCache, since: str | None) -> None:
    """Read each column once: what is asked of it is asked of two small tables."""
    bound = "" if since is None else f" WHERE message_created_at >= TIMESTAMPTZ '{since}'"
    counts = ", ".join(
        f"coalesce(TRY_CAST(usage->>'{key}' AS HUGEINT), 0) AS {key}" for key in _TOKENS
    )
    cache.all(
        "CREATE TEMP TABLE told AS SELECT session_id, message_id, client_name, git_remote,"
        " repo_root, cwd, model, part_type, tool_name, tool_result_for, is_error,"
        " make_timestamp(epoch_us(message_created_at)) AS happened,"
        # Most rows have none, and what a tool returned is long.
        " CASE WHEN contains(attributes::VARCHAR, '\"usage\":') THEN attributes->'usage' END"
        f" AS usage FROM ai_gateway_messages{bound}"
    )
    cache.all(
        f"CREATE TEMP TABLE used AS SELECT *, {' + '.join(_TOKENS)} AS total FROM"
        f" (SELECT * EXCLUDE (usage), {counts} FROM told WHERE usage IS NOT NULL)"
    )


def _counted(cache: OpenCache, name: str, table: str, order: str) -> list[Counted]:
    sums = ", ".join(f"coalesce(sum({key}), 0)" for key in _TOKENS)
    rows = cache.all(
        f"SELECT {name}, count(DISTINCT session_id), count(*), {sums} FROM {table}"
        f" GROUP BY 1 ORDER BY {order}"
    )
    if not rows:
        return [Counted("", 0, 0, Tokens())] if name == "''" else []
    return [
        Counted(name, sessions, responses, _tokens(counts))
        for name, sessions, responses, *counts in rows
    ]


def _tokens(counts: Sequence[int]) -> Tokens:
    return Tokens(*map(int, counts))  # a sum is a huge integer, or a decimal


def _sessions(cache: OpenCache) -> list[Session]:
    sums = ", ".join(f"coalesce(sum({key}), 0)" for key in _TOKENS)
    rows = cache.all(
        "SELECT told.session_id, any_value(client_name),"
        f" any_value(coalesce(git_remote, repo_root, cwd)), {_FIRST}, {_LAST},"
        " count(DISTINCT message_id), any_value(counts) FROM told LEFT JOIN"
        f" (SELECT session_id, [{sums}] AS counts, sum(total) AS total FROM used GROUP BY 1)"
        " AS sums USING (session_id) GROUP BY 1"
        f" ORDER BY any_value(sums.total) DESC NULLS LAST, 1 LIMIT {MOST}"
    )
    return [
        Session(session, client, repository, started, ended, messages, _tokens(counts or (0,) * 4))
        for session, client, repository, started, ended, messages, counts in rows
    ]


def _tools(cache: OpenCache) -> list[Tool]:
    rows = cache.all(
        "SELECT tool_name, count(*) FILTER (part_type = 'tool_call'),"
        " count(*) FILTER (part_type = 'tool_result' AND is_error) FROM told"
        f" WHERE tool_name IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST}"
    )
    return [Tool(*row) for row in rows]
