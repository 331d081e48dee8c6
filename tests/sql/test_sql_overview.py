"""The overview against an independent reckoning over the golden rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hypactors.cache import MessageWriter
from hypactors.clock import parse_iso
from hypactors.dataset import COLUMNS
from hypactors.lake import Lake
from hypactors.sql import Overview, Tokens, overview

DATA = Path(__file__).parents[1] / "data" / "transcripts"
NOW = "2026-11-23T12:00:00.000Z"
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def golden(corpus: str) -> list[dict[str, Any]]:
    lines = (DATA / corpus / "rows.jsonl").read_text().splitlines()
    return [json.loads(line.replace("<varies>", NOW)) for line in lines]


def stored(row: dict[str, Any]) -> tuple[object, ...]:
    def value(name: str, kind: str) -> object:
        found = row.get(name)
        if found is None:
            return None
        if kind == "json":
            return json.dumps(found)
        if kind == "time":
            return round(parse_iso(found).timestamp() * 1000)
        return found

    return tuple(value(column.name, column.kind) for column in COLUMNS)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    found = [*golden("claude-a"), *golden("codex-a")]
    for row in found:
        row["date"] = row["message_created_at"][:10]
    return found


@pytest.fixture(scope="module")
def found(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Overview:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    MessageWriter(lake, run_id="r").commit([stored(row) for row in rows])
    return overview(lake)


def usage(row: dict[str, Any]) -> Counter[str]:
    return Counter({key: (row["attributes"].get("usage") or {}).get(key) or 0 for key in TOKENS})


def tokens(counts: Counter[str]) -> Tokens:
    return Tokens(*(counts[key] for key in TOKENS))


def test_totals(found: Overview, rows: list[dict[str, Any]]) -> None:
    assert found.rows == len(rows)
    assert found.sessions == len({row["session_id"] for row in rows})
    assert found.messages == len({row["message_id"] for row in rows})
    assert found.first_at == min(row["message_created_at"] for row in rows)
    total: Counter[str] = sum((usage(row) for row in rows), Counter())
    assert found.tokens == tokens(total)
    assert found.tokens.total > 100_000


@pytest.mark.parametrize(("part", "key"), [("models", "model"), ("days", "date")])
def test_tokens_by(part: str, key: str, found: Overview, rows: list[dict[str, Any]]) -> None:
    expected: dict[str, Counter[str]] = {}
    for row in rows:
        if row["attributes"].get("usage"):
            name = row[key] or "(unknown)"
            expected[name] = expected.get(name, Counter()) + usage(row)
    counted = getattr(found, part)
    assert {each.name: each.tokens for each in counted} == {
        name: tokens(counts) for name, counts in expected.items()
    }
    if part == "days":
        assert [each.name for each in counted] == sorted(expected)
    else:
        totals = [each.tokens.total for each in counted]
        assert totals == sorted(totals, reverse=True)


def test_tools(found: Overview, rows: list[dict[str, Any]]) -> None:
    calls = Counter(row["tool_name"] for row in rows if row["part_type"] == "tool_call")
    assert {tool.name: tool.calls for tool in found.tools} == dict(calls.most_common(12))
    errors = Counter(row["tool_name"] for row in rows if row["is_error"])
    assert {tool.name: tool.errors for tool in found.tools if tool.errors} == {
        name: count for name, count in errors.items() if name in calls
    }


def test_sessions(found: Overview, rows: list[dict[str, Any]]) -> None:
    by_session: dict[str, Counter[str]] = {}
    for row in rows:
        session = row["session_id"]
        by_session[session] = by_session.get(session, Counter()) + usage(row)
    largest = max(by_session, key=lambda session: by_session[session].total())
    assert found.largest_sessions[0].session_id == largest
    assert found.largest_sessions[0].tokens == tokens(by_session[largest])
