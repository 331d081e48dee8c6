"""Exchange -> rows (import §6)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.providers import ROW_COLUMNS, Exchange, Message, Row, expand

NOW_MS = 1_780_000_000_000


def exchange(*messages: Message, **fields: Any) -> Exchange:
    header: dict[str, Any] = {
        "provider": "anthropic",
        "session_id": "s1",
        "client_name": "claude",
        "source_path": "/transcripts/s1.jsonl",
        "native_id": "s1",
    }
    return Exchange(**{**header, **fields}, messages=messages)


def rows(*messages: Message, **fields: Any) -> list[Row]:
    return list(expand(exchange(*messages, **fields), now_ms=NOW_MS))


def blocks(*content: Any) -> list[Row]:
    return rows(Message(role="assistant", content=list(content), message_id="m"))


def test_every_block_is_a_row() -> None:
    """import 12."""
    found = rows(
        Message(role="user", content="hello", message_id="u"),
        Message(
            role="assistant",
            message_id="a",
            content=[
                {"type": "text", "text": "hi"},
                {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}},
            ],
        ),
    )

    assert [row.part_id for row in found] == ["u#0", "a#0", "a#1"]
    call = found[2]
    assert (call.part_type, call.tool_name, call.tool_call_id) == ("tool_call", "Bash", "t1")
    assert call.tool_args == '{"command":"ls"}'
    assert found[1].previous_message_id == '["u"]'
    assert [row.message_index for row in found] == [0, 1, 1]


@pytest.mark.parametrize(
    "fields", [{"provider": None}, {"provider": ""}, {"session_id": None}, {"session_id": ""}]
)
def test_without_provider_or_session_there_are_no_rows(fields: dict[str, Any]) -> None:
    """import 41."""
    assert rows(Message(role="user", content="x"), **fields) == []


def test_the_path_is_only_there_as_a_hash() -> None:
    """import 42."""
    [row] = rows(Message(role="user", content="x"))
    gateway = json.loads(row.attributes)["gateway"]

    assert gateway["source_path_hash"] == hashlib.sha256(b"/transcripts/s1.jsonl").hexdigest()[:16]
    assert b"/transcripts" not in row.attributes


def test_rows_have_the_56_columns() -> None:
    """import 43."""
    assert len(ROW_COLUMNS) == 56
    assert ROW_COLUMNS[0] == "gateway_id"
    assert ROW_COLUMNS[-1] == "date"


def test_a_message_without_id_is_named_by_what_it_says() -> None:
    """import 40."""
    [first, second] = rows(
        Message(role="user", content="no uuid"),
        Message(
            role="user", content=[{"type": "text", "text": "x", "cache_control": 1, "caller": {}}]
        ),
        session_id="00000000-0000-4000-8000-000000000008",
    )

    # The id that the other client gave to this message of this session.
    assert first.message_id == "3799663780d77750"
    scope = "00000000-0000-4000-8000-000000000008:user:"
    named = scope + '[{"text":"x","type":"text"}]'
    assert second.message_id == hashlib.sha256(named.encode()).hexdigest()[:16]
    assert second.previous_message_id == '["3799663780d77750"]'
    assert json.loads(second.attributes)["gateway"]["identity_source"] == "gateway_fallback"


def test_the_fallback_id_knows_thread_agent_and_half_surrogates() -> None:
    message = Message(role="user", content="\ufffd", hashed_content="\ud800", agent_id="ag")
    [row] = rows(message, conversation_id="thread")

    named = 'thread:ag:user:[{"text":"\\ud800","type":"text"}]'
    assert row.message_id == hashlib.sha256(named.encode()).hexdigest()[:16]
    assert row.content_text == "\ufffd"


def test_empty_messages_take_an_index_and_equal_ids_give_one_row() -> None:
    found = rows(
        Message(role="user", content="", message_id="empty"),
        Message(role="user", content=[], message_id="none"),
        Message(role=None, content="x", message_id="no-role"),
        Message(role="user", content="one", message_id="m"),
        Message(role="user", content="again", message_id="m"),
        Message(role="user", content="two", message_id="n"),
    )

    assert [(row.message_index, row.content_text) for row in found] == [(3, "one"), (5, "two")]
    assert [row.previous_message_id for row in found] == ["[]", '["m"]']


def test_each_agent_has_a_chain_of_its_own() -> None:
    found = rows(
        Message(role="user", content="a", message_id="1"),
        Message(role="user", content="b", message_id="2", agent_id="x"),
        Message(role="user", content="c", message_id="3"),
        Message(role="user", content="d", message_id="4", agent_id="x"),
    )

    assert [row.previous_message_id for row in found] == ["[]", "[]", '["1"]', '["2"]']


def test_times_fall_back_to_the_start_and_then_to_now() -> None:
    [timed, untimed] = rows(
        Message(role="user", content="a", message_id="1", message_created_ms=1000),
        Message(role="user", content="b", message_id="2"),
        conversation_started_ms=500,
    )
    [unknown] = rows(Message(role="user", content="a"))

    assert (timed.message_created_at, timed.conversation_started_at) == (1000, 500)
    assert untimed.message_created_at == 500
    assert unknown.message_created_at == unknown.conversation_started_at == NOW_MS
    assert timed.date == "1970-01-01"


@pytest.mark.parametrize(
    ("kind", "part_type"),
    [
        ("text", "text"),
        ("redacted_thinking", "reasoning"),
        ("server_tool_use", "tool_call"),
        ("web_search_tool_result", "tool_result"),
        ("document", "file"),
        ("file", "file"),
        ("image", "image"),
        ("error", "error"),
        ("mystery", "mystery"),
        ("", "text"),
        (7, "text"),
    ],
)
def test_part_types(kind: Any, part_type: str) -> None:
    [row] = blocks({"type": kind})

    assert row.part_type == part_type


def test_blocks_that_are_no_objects_are_empty_texts() -> None:
    assert [(row.part_type, row.content_text) for row in blocks("bare", 7, None)] == [
        ("text", None)
    ] * 3


def test_results_find_the_name_of_their_call() -> None:
    found = blocks(
        {"type": "tool_use", "id": "t", "name": "Grep"},
        {"type": "tool_result", "tool_use_id": "t", "content": "", "is_error": True},
        {
            "type": "tool_result",
            "tool_use_id": "?",
            "is_error": "yes",
            "content": [{"text": "a"}, {"x": 1}, 3, {"text": "b"}],
        },
        {"type": "tool_result", "tool_use_id": "t", "content": {"text": "no array"}},
    )

    assert [row.tool_name for row in found] == ["Grep", "Grep", None, "Grep"]
    assert [row.tool_result_for for row in found] == [None, "t", "?", "t"]
    assert [row.content_text for row in found] == [None, "", "a\nb", None]
    assert [row.is_error for row in found] == [None, True, None, None]
    assert [row.status for row in found[1:3]] == [
        '{"tool_status":"error"}',
        '{"tool_status":"success"}',
    ]


def test_thinking_and_error_blocks() -> None:
    thinking, hidden, error, bare = blocks(
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "error", "code": "E1", "text": "broke", "caller": {"type": "direct"}},
        {"type": "error"},
    )

    assert (thinking.content_text, thinking.thinking_signature) == ("hm", "sig")
    assert (hidden.content_text, hidden.thinking_signature) == ("xyz", None)
    assert (error.content_text, error.caller_type) == ("broke", "direct")
    assert error.status == '{"error_code":"E1","error_message":"broke"}'
    assert bare.status is None


def test_payloads_of_data_urls_are_stripped() -> None:
    [row] = blocks({"type": "text", "text": "see data:image/png;base64,iVBO+/= and data:;base64,A"})

    assert row.content_text == (
        "see data:image/png;base64,<stripped> and data:application/octet-stream;base64,<stripped>"
    )


def test_usage_is_on_the_last_part_only_and_attributes_are_merged() -> None:
    first, last = rows(
        Message(
            role="assistant",
            message_id="m",
            content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            attributes={"usage": {"input_tokens": 1}, "claude": {"k": 1}, "gateway": {"own": 1}},
        ),
        attributes={"claude": {"l": 2}},
        client_version="2",
    )

    attributes = json.loads(last.attributes)
    assert attributes.pop("usage") == {"input_tokens": 1}
    assert json.loads(first.attributes) == attributes
    assert attributes["claude"] == {"k": 1, "l": 2}
    assert attributes["client"] == {"name": "claude", "version": "2"}
    assert attributes["gateway"]["own"] == 1
    assert attributes["gateway"]["source"] == "backfill"


def test_what_a_message_says_wins_over_the_exchange() -> None:
    [own, inherited] = rows(
        Message(role="user", content="a", message_id="1", model="m1", is_sidechain=False),
        Message(role="user", content="b", message_id="2"),
        model="m0",
        is_sidechain=True,
        entrypoint="cli",
    )

    assert (own.model, own.is_sidechain, own.entrypoint) == ("m1", False, "cli")
    assert (inherited.model, inherited.is_sidechain) == ("m0", True)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "content", "id", "input", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.lists(JSON | st.fixed_dictionaries({"type": JSON, "content": JSON}), max_size=3))
def test_no_content_breaks_the_expansion(content: list[Any]) -> None:
    found = rows(Message(role="user", content=content), Message(role="user", content=content))

    assert [row.part_index for row in found] == list(range(len(content)))
    assert all(json.loads(row.attributes) for row in found)
