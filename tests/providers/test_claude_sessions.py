"""A transcript -> exchanges (import §4, §7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.providers import Window, parse_time_ms
from tests.providers.histories import ClaudeHistory, answered, attributes_of, said, usage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def history(tmp_path: Path) -> ClaudeHistory:
    return ClaudeHistory(tmp_path)


def test_one_exchange_for_each_session_and_file(history: ClaudeHistory) -> None:
    """import 13, 14."""
    one = history.write("p/x.jsonl", said(1, sessionId="y"), said(2))
    history.write("p/z.jsonl", said(3, sessionId="y"))

    found = history.exchanges()

    assert [(item.native_id, item.client_name) for item in found] == [
        ("y", "claude"),
        ("s", "claude"),
        ("y", "claude"),
    ]
    assert found[0].source_path == str(one)
    assert found[0].conversation_source == "claude"


def test_usage_is_read_and_users_have_none(history: ClaudeHistory) -> None:
    """import 15."""
    counts = {
        "input_tokens": 120,
        "output_tokens": 45,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 30,
    }
    history.write("p/s.jsonl", said(1), answered(2, "m", usage=counts))

    user, assistant = history.rows()

    assert "usage" not in attributes_of(user)
    assert attributes_of(assistant)["usage"] == {
        "input_tokens": 120,
        "output_tokens": 45,
        "cache_read_tokens": 1000,
        "cache_write_tokens": 30,
    }


def test_a_response_over_several_lines_counts_once(history: ClaudeHistory) -> None:
    """import 16."""
    counts = usage(input_tokens=1)
    history.write(
        "p/s.jsonl",
        answered(1, "m", **counts),
        answered(2, "m", **counts),
        answered(3, None, **counts),
        answered(4, None, **counts),
    )

    found = ["usage" in attributes_of(row) for row in history.rows()]

    assert found == [False, True, True, True]


def test_the_model_is_that_of_each_line(history: ClaudeHistory) -> None:
    """import 17."""
    history.write(
        "p/s.jsonl",
        said(1),
        answered(2, model="m1"),
        answered(3, model="m2"),
        answered(4, model="<synthetic>"),
    )

    assert [row.model for row in history.rows()] == [None, "m1", "m2", None]


def test_a_subagent_knows_the_call_that_started_it(history: ClaudeHistory) -> None:
    """import 18."""
    history.write("p/s.jsonl", said(1))
    history.write(
        "p/s/subagents/agent-ab.jsonl",
        {**answered(2, "m", **usage(input_tokens=1)), "agentId": "ab", "isSidechain": True},
    )
    (history.projects / "p/s/subagents/agent-ab.meta.json").write_text('{"toolUseId":"t9"}')

    main, agent = history.rows()

    assert "claude" not in attributes_of(main)
    attributes = attributes_of(agent)
    assert attributes["claude"] == {"spawned_by_tool_use_id": "t9"}
    assert attributes["usage"] == {"input_tokens": 1}
    assert (agent.session_id, agent.agent_id, agent.is_sidechain) == ("s", "ab", True)


def test_ids_are_copied_and_the_frame_tells_nothing_that_was_said(history: ClaudeHistory) -> None:
    """import 19, 20."""
    history.write("p/s.jsonl", said(1, parentUuid="u0", logicalParentUuid="l0", subtype="st"))

    [row] = history.rows()

    assert row.message_id == row.provider_uuid == "u1"
    assert (row.parent_uuid, row.logical_parent_uuid) == ("u0", "l0")
    assert json.loads(row.raw_frame or "") == {
        "uuid": "u1",
        "parent_uuid": "u0",
        "logical_parent_uuid": "l0",
        "type": "user",
        "subtype": "st",
        "timestamp": "2026-11-01T08:00:01.000Z",
    }


def test_two_runs_give_the_same(history: ClaudeHistory) -> None:
    """import 21."""
    history.write("p/s.jsonl", said(1), answered(2, "m"))

    assert history.exchanges() == history.exchanges()
    assert history.rows() == history.rows()


def test_the_window_drops_older_messages_only(history: ClaudeHistory) -> None:
    """import 22."""
    history.write("p/s.jsonl", said(1, cwd="/old"), said(2, cwd="/new"), said(3))
    history.write("p/t.jsonl", said(1, sessionId="old"))
    history.window = Window(since_ms=parse_time_ms("2026-11-01T08:00:02Z"))

    [exchange] = history.exchanges()

    assert [message.message_id for message in exchange.messages] == ["u2", "u3"]
    assert exchange.cwd == "/new"
    assert exchange.conversation_started_ms == parse_time_ms("2026-11-01T08:00:02Z")


def test_a_result_of_a_tool_is_kept_as_it_is(history: ClaudeHistory) -> None:
    """import 26."""
    result = {"stdout": "x", "n": 1.0, "deep": [None, {"a": False}]}
    history.write("p/s.jsonl", said(1, toolUseResult=result))

    [row] = history.rows()

    assert attributes_of(row)["claude"]["tool_use_result"] == result


def test_lines_without_a_role_tell_the_folder_and_make_no_rows(history: ClaudeHistory) -> None:
    history.write(
        "p/s.jsonl",
        {"type": "system", "sessionId": "s", "uuid": "x", "cwd": "/w"},
        {"type": "summary", "summary": "no session"},
        {"type": "progress", "sessionId": "only", "uuid": "y"},
        said(1, type="user", message={"content": "role from the type"}),
    )

    [exchange] = history.exchanges()

    # Sorted by time, what has none is last; the folder may come from any line.
    assert exchange.cwd == "/w"
    assert [message.role for message in exchange.messages] == ["user"]


def test_sessions_of_another_client_wait_until_it_is_configured(history: ClaudeHistory) -> None:
    """import §4.4."""
    history.write("p/s.jsonl", said(1), said(2, entrypoint="claude-desktop"), said(3))
    history.write("p/t.jsonl", said(1, sessionId="t", entrypoint="something-new"))

    assert [item.client_name for item in history.exchanges()] == ["claude"]

    history.plugins.add("@hypaware/claude-desktop")
    assert [item.client_name for item in history.exchanges()] == ["claude-desktop", "claude"]
