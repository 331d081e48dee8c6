"""The overview: what the agents of a machine did, as a few questions to the cache."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING

import msgspec

from hypactors.clock import iso_ms
from hypactors.dataset import DATASET
from hypactors.sql._query import iso_or_none, open_cache

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any

    from hypactors.lake import Lake

# Each response has its usage in exactly one row, so that a plain sum counts it once (import §7). A
# number may have come as a string, and what is none counts as 0.
_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_PATHS = ", ".join(f"'$.usage.{name}'" for name in _COUNTS)
_SUMS = ", ".join(
    f"coalesce(sum(try_cast(usage[{number}] as bigint)), 0)"
    for number, _ in enumerate(_COUNTS, start=1)
)
_IN_WINDOW = (
    f"from {DATASET} where ($since is null or message_created_at >= $since::varchar::timestamptz)"
)
MOST_SESSIONS = 12
"""How many of them are told, the longest first."""

_REPO = "coalesce(nullif(git_remote, ''), nullif(repo_root, ''), nullif(cwd, ''))"

QUESTIONS = {
    "totals": f"""
        select count(*), count(distinct message_id), count(distinct session_id),
            count(*) filter (part_type = 'tool_call'),
            min(message_created_at)::timestamp, max(message_created_at)::timestamp
        {_IN_WINDOW}""",
    "responses": f"""
        with answers as (
            select *, json_extract_string(attributes, [{_PATHS}]) as usage
            {_IN_WINDOW} and json_exists(attributes, '$.usage')
        )
        select date, model, {_REPO} as repo, count(*), {_SUMS}
        from answers group by all order by 1, 2, 3""",
    "days": f"""
        select date, count(distinct session_id), count(distinct message_id),
            count(*) filter (part_type = 'tool_call')
        {_IN_WINDOW} group by all order by all""",
    "tools": f"""
        select date, tool_name, count(*) filter (part_type = 'tool_call') as calls,
            count(*) filter (part_type = 'tool_result' and is_error) as errors
        {_IN_WINDOW} and tool_name is not null group by all having calls + errors > 0
        order by all""",
    "repos": f"""
        select {_REPO} as repo, count(distinct session_id) as sessions,
            count(distinct message_id), max(message_created_at)::timestamp
        {_IN_WINDOW} group by all order by sessions desc, 1""",
    "sessions": f"""
        with said as (select session_id, any_value(client_name) as client,
            any_value({_REPO}) as repo, count(distinct message_id) as messages,
            min(message_created_at)::timestamp as first,
            max(message_created_at)::timestamp as last
            {_IN_WINDOW} group by all)
        select * from said order by messages desc, 1 limit {MOST_SESSIONS}""",
    "clients": f"""
        select client_name, count(distinct session_id) as sessions, count(distinct message_id)
        {_IN_WINDOW} group by all order by sessions desc, 1""",
}
"""What is asked; ``$since`` is an ISO time or null. Days are those of UTC."""


class Tokens(msgspec.Struct, frozen=True):
    """``input`` has no part of what came from the cache of prompts (import §7)."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_read + self.cache_write

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )


class Totals(msgspec.Struct, frozen=True):
    rows: int
    messages: int
    sessions: int
    tool_calls: int
    responses: int
    tokens: Tokens
    first_at: str | None
    last_at: str | None


class ModelDay(msgspec.Struct, frozen=True):
    """The responses of one model on one day; no name: the transcript did not say it."""

    day: str
    model: str | None
    responses: int
    tokens: Tokens


class Model(msgspec.Struct, frozen=True):
    model: str | None
    responses: int
    tokens: Tokens


class Day(msgspec.Struct, frozen=True):
    day: str
    sessions: int
    messages: int
    tool_calls: int


class ToolDay(msgspec.Struct, frozen=True):
    day: str
    tool: str
    calls: int
    errors: int


class Tool(msgspec.Struct, frozen=True):
    tool: str
    calls: int
    errors: int


class Repo(msgspec.Struct, frozen=True):
    """A repository by its remote, else its folder, else where the agent worked."""

    repo: str | None
    sessions: int
    messages: int
    tokens: Tokens
    last_at: str


class Session(msgspec.Struct, frozen=True):
    session_id: str
    client: str | None
    repo: str | None
    messages: int
    first_at: str
    last_at: str


class Client(msgspec.Struct, frozen=True):
    client: str | None
    sessions: int
    messages: int


class Overview(msgspec.Struct, frozen=True):
    """Everything of a window, the most used first; days and what is by day by time."""

    since: str | None
    has_table: bool
    totals: Totals
    clients: Sequence[Client]
    models: Sequence[Model]
    days: Sequence[Day]
    model_days: Sequence[ModelDay]
    tools: Sequence[Tool]
    tool_days: Sequence[ToolDay]
    repos: Sequence[Repo]
    longest_sessions: Sequence[Session]


def overview(lake: Lake, since: datetime | None, *, timeout_s: float | None = None) -> Overview:
    """Ask for the overview of what was said since a moment, or ever."""
    moment = None if since is None else iso_ms(since)
    with open_cache(lake, timeout_s=timeout_s) as cache:
        answers = {name: cache.ask(sql, {"since": moment}) for name, sql in QUESTIONS.items()}
    return _overview(moment, answers, has_table=cache.has_table)


def _overview(
    since: str | None, answers: dict[str, list[tuple[Any, ...]]], *, has_table: bool
) -> Overview:
    model_days: dict[tuple[str, str | None], ModelDay] = {}
    of_repo: dict[str | None, Tokens] = {}
    for day, model, repo, responses, *counts in answers["responses"]:
        tokens = Tokens(*counts)
        so_far = model_days.get((day, model), ModelDay(day, model, 0, Tokens()))
        model_days[day, model] = ModelDay(
            day, model, so_far.responses + responses, so_far.tokens + tokens
        )
        of_repo[repo] = of_repo.get(repo, Tokens()) + tokens
    tool_days = [ToolDay(*row) for row in answers["tools"]]
    [(rows, messages, sessions, tool_calls, first, last)] = answers["totals"]
    return Overview(
        since=since,
        has_table=has_table,
        totals=Totals(
            rows=rows,
            messages=messages,
            sessions=sessions,
            tool_calls=tool_calls,
            responses=sum(each.responses for each in model_days.values()),
            tokens=sum((each.tokens for each in model_days.values()), Tokens()),
            first_at=iso_or_none(first),
            last_at=iso_or_none(last),
        ),
        clients=[Client(*row) for row in answers["clients"]],
        models=_models(model_days.values()),
        days=[Day(*row) for row in answers["days"]],
        model_days=list(model_days.values()),
        tools=_tools(tool_days),
        tool_days=tool_days,
        repos=[
            Repo(repo, sessions, messages, of_repo.get(repo, Tokens()), iso_or_none(last) or "")
            for repo, sessions, messages, last in answers["repos"]
        ],
        longest_sessions=[
            Session(
                session, client, repo, messages, iso_or_none(first) or "", iso_or_none(last) or ""
            )
            for session, client, repo, messages, first, last in answers["sessions"]
        ],
    )


def _models(days: Iterable[ModelDay]) -> list[Model]:
    found: dict[str | None, Model] = {}
    for each in days:
        so_far = found.get(each.model, Model(each.model, 0, Tokens()))
        found[each.model] = Model(
            each.model, so_far.responses + each.responses, so_far.tokens + each.tokens
        )
    return sorted(found.values(), key=lambda each: (-each.tokens.total, each.model or ""))


def _tools(days: Sequence[ToolDay]) -> list[Tool]:
    found: dict[str, Tool] = {}
    for each in days:
        so_far = found.get(each.tool, Tool(each.tool, 0, 0))
        found[each.tool] = Tool(each.tool, so_far.calls + each.calls, so_far.errors + each.errors)
    return sorted(found.values(), key=lambda each: (-each.calls, each.tool))
