"""A line of a transcript -> the message that it makes (import §4, §4.1, §4.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.providers import Window, parse_time_ms
from tests.providers.histories import ClaudeHistory, answered, attributes_of, said, usage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def history(tmp_path: Path) -> ClaudeHistory:
    return ClaudeHistory(tmp_path)


TEXT_FIELDS = {
    "parentUuid": "parent_uuid",
    "parent_uuid": "parent_uuid",
    "logicalParentUuid": "logical_parent_uuid",
    "logical_parent_uuid": "logical_parent_uuid",
    "sourceToolAssistantUUID": "source_tool_assistant_uuid",
    "source_tool_assistant_uuid": "source_tool_assistant_uuid",
    "requestId": "request_id",
    "request_id": "request_id",
    "promptId": "prompt_id",
    "prompt_id": "prompt_id",
    "subtype": "provider_subtype",
    "entrypoint": "entrypoint",
    "version": "client_version",
    "claude_version": "client_version",
    "userType": "user_type",
    "user_type": "user_type",
    "permissionMode": "permission_mode",
    "permission_mode": "permission_mode",
    "agentId": "agent_id",
    "agent_id": "agent_id",
    "hookEvent": "hook_event",
}


@pytest.mark.parametrize(("key", "column"), TEXT_FIELDS.items())
def test_a_field_of_the_line_has_its_column(history: ClaudeHistory, key: str, column: str) -> None:
    """import 19: copied as it is; an empty text and what is no text are absent."""
    history.write("p/s.jsonl", said(1, **{key: "v"}), said(2, **{key: ""}), said(3, **{key: 7}))

    found = [getattr(row, column) for row in history.rows()]

    # A block is of a type where the line has no subtype; the version is the session's.
    absent = {"provider_subtype": "text", "client_version": "v"}.get(column)
    assert found == ["v", absent, absent]


@pytest.mark.parametrize(
    ("camel", "snake", "column"),
    [
        ("parentUuid", "parent_uuid", "parent_uuid"),
        ("requestId", "request_id", "request_id"),
        ("agentId", "agent_id", "agent_id"),
        ("version", "claude_version", "client_version"),
    ],
)
def test_the_first_spelling_wins(
    history: ClaudeHistory, camel: str, snake: str, column: str
) -> None:
    history.write("p/s.jsonl", said(1, **{camel: "first", snake: "second"}))

    [row] = history.rows()

    assert getattr(row, column) == "first"


@pytest.mark.parametrize(("given", "kept"), [(True, True), (False, False), ("true", None)])
def test_flags_are_booleans_or_nothing(history: ClaudeHistory, given: Any, kept: Any) -> None:
    content = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    flags = {"isSidechain": given, "isCompactSummary": given}
    history.write("p/s.jsonl", said(1, message={"role": "user", "content": content}, **flags))

    for row in history.rows():  # each part tells it
        assert (row.is_sidechain, row.is_compact_summary) == (kept, kept)


def test_a_compaction_keeps_what_it_was_made_of(history: ClaudeHistory) -> None:
    metadata = {"trigger": "auto", "preTokens": 1.0, "9": None}
    history.write(
        "p/s.jsonl",
        said(
            1,
            type="system",
            message={"role": "system", "content": "x"},
            compactMetadata=metadata,
        ),
        said(2, compact_metadata=[1], compactMetadata=None),
        said(3),
    )

    boundary, snake, plain = history.rows()

    assert json.loads(boundary.compact_metadata or "") == metadata
    assert (boundary.role, boundary.provider_type) == ("system", "system")
    assert (snake.compact_metadata, plain.compact_metadata) == ("[1]", None)


def test_an_attachment_tells_its_type_and_its_hook(history: ClaudeHistory) -> None:
    history.write(
        "p/s.jsonl",
        said(1, attachment={"type": "hook", "hookEvent": "Stop"}, hookEvent="outer"),
        said(2, attachment={"type": 7}, hookEvent="outer"),
        said(3, attachment="no object"),
        {**said(4, attachment={"type": "file"}), "type": "attachment", "message": None},
    )

    found = [(row.attachment_type, row.hook_event) for row in history.rows()]

    # The last has no role, and so is no message.
    assert found == [("hook", "Stop"), (None, "outer"), (None, None)]


def test_lines_are_ordered_by_their_time_and_those_of_none_come_last(
    history: ClaudeHistory,
) -> None:
    history.write(
        "p/s.jsonl",
        said(1, timestamp=None),
        said(3),
        said(4, timestamp="soon"),
        said(2, timestamp=parse_time_ms("2026-11-01T08:00:02Z")),
        said(5, timestamp="2026-11-01T08:00:03Z"),
        said(6, sessionId="earlier", timestamp="2026-11-01T08:00:01Z"),
    )

    first, second = history.exchanges()

    assert (first.session_id, second.session_id) == ("earlier", "s")
    assert [message.message_id for message in second.messages] == ["u2", "u3", "u5", "u1", "u4"]
    assert second.conversation_started_ms == parse_time_ms("2026-11-01T08:00:02Z")


@pytest.mark.parametrize(
    ("line", "is_message"),
    [
        ({"uuid": "u"}, False),
        ({"type": "user", "uuid": "u"}, True),
        ({"type": "user", "message": {"content": "by its content"}}, True),
        ({"type": "user", "message": {"content": []}}, False),
        ({"type": "user", "message": {"content": ""}, "messageId": "m"}, True),
        ({"type": "assistant", "message": {"id": "m"}}, True),
        ({"type": "progress", "message": {"role": "tool", "content": "x"}}, True),
        ({"type": "progress", "message": {"content": "x"}, "uuid": "u"}, False),
    ],
)
def test_what_is_a_message(
    history: ClaudeHistory, line: dict[str, Any], *, is_message: bool
) -> None:
    history.write("p/s.jsonl", {"sessionId": "s", **line})
    history.write("p/t.jsonl", line)  # of no session

    assert sum(len(list(found.messages)) for found in history.exchanges()) == is_message


def test_a_message_of_nothing_takes_a_place_and_makes_no_row(history: ClaudeHistory) -> None:
    history.write("p/s.jsonl", said(1), said(2, message={"role": "user", "content": ""}), said(3))

    found = [(row.message_index, row.previous_message_id) for row in history.rows()]

    assert found == [(0, "[]"), (2, '["u1"]')]


def test_the_last_line_of_a_response_is_the_last_in_the_window_and_by_time(
    history: ClaudeHistory,
) -> None:
    """import 16."""
    counts = usage(input_tokens=1)
    history.write(
        "p/s.jsonl",
        answered(3, "m", **counts),
        answered(1, "m", **counts),
        answered(9, "m", **counts),
        answered(2, "n", **counts),
    )
    history.window = Window(until_ms=parse_time_ms("2026-11-01T08:00:05Z"))

    found = [(row.message_id, "usage" in attributes_of(row)) for row in history.rows()]

    assert found == [("u1", False), ("u2", True), ("u3", True)]


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ({"input_tokens": 0, "output_tokens": None}, {"input_tokens": 0}),
        ({"server_tool_use": {"web_search_requests": 1}}, None),
        ([1], None),
        (None, None),
    ],
)
def test_only_counts_that_are_there_are_usage(
    history: ClaudeHistory, counts: Any, kept: dict[str, Any] | None
) -> None:
    history.write("p/s.jsonl", answered(1, "m", usage=counts))

    [row] = history.rows()

    assert attributes_of(row).get("usage") == kept


def test_the_frame_has_the_time_as_every_other_does(history: ClaudeHistory) -> None:
    """import 20."""
    stamps = ["2026-11-01 08:00:01.000Z", "2026-11-01T09:00:01+01:00", 1793520001000, "soon"]
    lines = [said(number, timestamp=stamp) for number, stamp in enumerate(stamps)]
    history.write("p/s.jsonl", *lines, answered(9, "api"))

    frames = [json.loads(row.raw_frame or b"") for row in history.rows()]

    told = "2026-11-01T08:00:01.000Z"
    assert [frame.get("timestamp") for frame in frames[:3]] == [told] * 3
    assert "timestamp" not in frames[4]
    assert frames[3] == {
        "uuid": "u9",
        "type": "assistant",
        "message_id": "api",
        "timestamp": "2026-11-01T08:00:09.000Z",
    }
