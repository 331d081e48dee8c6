"""The overview counts what was said, each response once (import §7)."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hypactors.errors import HypError, QueryError
from hypactors.lake import Lake
from hypactors.sql import Tokens, overview
from tests.sql.cached import DATA, VARIES, golden, made_up, put, response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CORPORA = ["claude-a", "claude-edge", "codex-a", "codex-edge"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def usage_of(row: dict[str, Any]) -> dict[str, int]:
    usage: dict[str, int] = (row["attributes"] or {}).get("usage") or {}
    return usage


def lines_of(corpus: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of all transcripts, read by nothing of this package."""
    for path in sorted((DATA / corpus / "home").rglob("*.jsonl")):
        for line in path.read_text().split("\n"):
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    yield value


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_golden_rows_are_summed_as_they_are_by_hand(corpus: str, lake: Lake) -> None:
    rows = [row for row in golden(corpus) if row["message_created_at"] != VARIES]
    put(lake, rows)

    found = overview(lake, None)

    for key in ("input", "output", "cache_read", "cache_write"):
        expected: Counter[tuple[str, str | None]] = Counter()
        for row in rows:
            expected[row["date"], row["model"]] += int(usage_of(row).get(f"{key}_tokens", 0))
        shown = Counter(
            {(each.day, each.model): getattr(each.tokens, key) for each in found.model_days}
        )
        assert +shown == +expected
        assert getattr(found.totals.tokens, key) == expected.total()
    assert found.totals.responses == sum(1 for row in rows if usage_of(row))
    assert found.totals.rows == len(rows)
    assert found.totals.messages == len({row["message_id"] for row in rows})
    assert found.totals.sessions == len({row["session_id"] for row in rows})
    assert {each.tool: each.calls for each in found.tools if each.calls} == Counter(
        row["tool_name"] for row in rows if row["part_type"] == "tool_call"
    )


def test_claude_tokens_are_those_of_the_transcripts_themselves(lake: Lake) -> None:
    """import 15 and 16: the lines of a response repeat its usage, and it counts once."""
    usages = {
        message["id"]: message["usage"]
        for line in lines_of("claude-a")
        if isinstance(message := line.get("message"), dict) and message.get("usage")
    }
    put(lake, golden("claude-a"))

    def of(name: str) -> int:
        return sum(usage.get(name) or 0 for usage in usages.values())

    totals = overview(lake, None).totals
    assert totals.responses == len(usages)
    assert totals.tokens == Tokens(
        input=of("input_tokens"),
        output=of("output_tokens"),
        cache_read=of("cache_read_input_tokens"),
        cache_write=of("cache_creation_input_tokens"),
    )


def test_codex_tokens_are_those_of_the_transcripts_themselves(lake: Lake) -> None:
    """import 31: input without the cached, so that all kinds come to the total."""
    turns = [
        line["payload"]["info"]["last_token_usage"]
        for line in lines_of("codex-a")
        if line["payload"].get("type") == "token_count" and line["payload"].get("info")
    ]
    put(lake, golden("codex-a"))

    totals = overview(lake, None).totals
    assert totals.tokens.total == sum(turn["total_tokens"] for turn in turns) > 0
    assert totals.tokens.output == sum(turn["output_tokens"] for turn in turns)
    assert totals.tokens.cache_write == 0


def test_models_days_and_tools_are_ordered_for_a_reader(lake: Lake) -> None:
    put(
        lake,
        [
            response("small", "2026-11-02", input_tokens=1),
            response("large", "2026-11-03", input_tokens=5, output_tokens=6),
            response("large", "2026-11-01", cache_read_tokens=7),
            response(None, "2026-11-01", cache_write_tokens=2),
            made_up(part_type="tool_call", tool_name="Seldom"),
            *(made_up(part_type="tool_call", tool_name="Often") for _ in range(2)),
            made_up(part_type="tool_result", tool_name="Often", is_error=True),
            made_up(part_type="tool_result", tool_name="Often"),
        ],
    )

    found = overview(lake, None)

    assert [each.model for each in found.models] == ["large", None, "small"]
    assert found.models[0].tokens == Tokens(5, 6, 7, 0)
    assert found.models[0].responses == 2
    assert [each.day for each in found.days] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert [msgspec.structs.astuple(each) for each in found.tools] == [
        ("Often", 2, 1),
        ("Seldom", 1, 0),
    ]
    assert found.totals.tool_calls == 3


def test_a_repository_goes_by_its_remote_then_its_root_then_its_folder(lake: Lake) -> None:
    places: list[dict[str, Any]] = [
        {"git_remote": "r", "repo_root": "x", "cwd": "y", "session_id": "1"},
        {"git_remote": "r", "cwd": "z", "session_id": "2"},
        {"git_remote": "", "repo_root": "x", "session_id": "3"},
        {"cwd": "y", "session_id": "4"},
        {"session_id": "5"},
    ]
    usage = {"attributes": {"usage": {"output_tokens": 1}}}
    put(lake, [made_up(**place, **usage) for place in places])

    found = overview(lake, None)

    assert {each.repo: (each.sessions, each.tokens.output) for each in found.repos} == {
        "r": (2, 2), "x": (1, 1), "y": (1, 1), None: (1, 1)
    }  # fmt: skip
    assert found.repos[0].repo == "r"


def test_the_longest_sessions_are_told_and_no_more_than_can_be_read(lake: Lake) -> None:
    rows = [
        made_up(session_id=f"s{number:02}", cwd=f"/{number}")
        for number in range(20)
        for _ in range(number + 1)
    ]
    put(lake, rows)

    sessions = overview(lake, None).longest_sessions

    assert [each.session_id for each in sessions] == [
        f"s{number:02}" for number in range(19, 7, -1)
    ]
    assert (sessions[0].messages, sessions[0].repo, sessions[0].client) == (20, "/19", "claude")
    assert sessions[0].first_at == "2026-11-01T08:00:00.000Z"


def test_counts_beyond_all_measure_are_summed(lake: Lake) -> None:
    put(lake, [response("m", "2026-11-01", input_tokens=2**63 - 1) for _ in range(3)])
    assert overview(lake, None).totals.tokens.input == 3 * (2**63 - 1)


def test_since_leaves_out_what_is_older(lake: Lake) -> None:
    put(lake, [response("m", day, output_tokens=1) for day in ("2026-11-01", "2026-11-03")])

    found = overview(lake, datetime(2026, 11, 3, 12, tzinfo=UTC))

    assert found.since == "2026-11-03T12:00:00.000Z"
    assert [each.day for each in found.model_days] == ["2026-11-03"]
    assert found.totals.first_at == found.totals.last_at == "2026-11-03T12:00:00.000Z"
    later = overview(lake, datetime(2026, 11, 3, 12, 0, 1, tzinfo=UTC))
    assert (later.totals.rows, later.totals.first_at, later.days) == (0, None, [])


@pytest.mark.parametrize(
    "count", ["many", None, {"a": 1}, [1], True, 1e300, -0.0, "", "9" * 40, 2**63]
)
def test_a_count_that_is_no_number_is_none_and_loses_no_other(lake: Lake, count: Any) -> None:
    put(lake, [response("m", "2026-11-01", input_tokens=count, output_tokens="7")])

    tokens = overview(lake, None).totals.tokens
    assert tokens.output == 7
    assert tokens.input in {0, 1}


def test_an_empty_cache_has_an_empty_overview(lake: Lake) -> None:
    found = overview(lake, None)

    assert not found.has_table
    assert found.totals.rows == found.totals.tokens.total == 0
    assert not any((found.models, found.days, found.tools, found.repos, found.clients))
    assert not lake.folder.exists()


def test_a_damaged_file_is_said_without_our_own_statement(lake: Lake) -> None:
    put(lake, [made_up()])
    [file] = lake.warehouse_dir.rglob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:4] + bytes(400) + whole[404:])

    with pytest.raises(HypError, match=r"the cache cannot be read: ") as caught:
        overview(lake, None)
    assert "\n" not in str(caught.value)
    assert "select" not in str(caught.value)
    assert not isinstance(caught.value, QueryError)
