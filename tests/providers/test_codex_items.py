"""One item of a rollout -> what it says (import §5.2), and the usage of a turn (import §7)."""

from __future__ import annotations

from typing import Any

import pytest

from hypactors.providers.codex._items import item_of
from hypactors.providers.codex._usage import usage_of


def blocks(kind: str, **payload: Any) -> list[dict[str, Any]] | None:
    item = item_of({"type": kind, **payload})
    return None if item is None else item.blocks


def texts(content: Any) -> list[str] | None:
    found = blocks("message", content=content)
    return None if found is None else [block["text"] for block in found]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("plain", ["plain"]),
        (["bare", {"text": "a"}, {"input_text": "b"}, {"output_text": "c"}], ["bare", *"abc"]),
        ([{"text": "", "input_text": 7, "output_text": "third"}], ["third"]),
        ([{"type": "input_image", "image_url": "data:x"}, {"text": "beside it"}], ["beside it"]),
        ([{"type": "input_image"}, "", None, 7, []], None),
        ("", None),
        ([], None),
        (None, None),
        ({"text": "in no list"}, None),
    ],
)
def test_the_texts_of_a_message(content: Any, said: list[str] | None) -> None:
    assert texts(content) == said


@pytest.mark.parametrize(
    ("role", "kept"),
    [("user", "user"), ("developer", "developer"), ("system", "system"), ("assistant", "assistant"),
     ("", "user"), (None, "user"), (7, "user")],
)  # fmt: skip
def test_a_role_is_kept_and_who_has_none_is_the_user(role: Any, kept: str) -> None:
    item = item_of({"type": "message", "role": role, "content": "x"})
    assert item is not None
    assert (item.role, item.type) == (kept, "message")


@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call"])
@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"arguments": '{"a":[1,2.5]}'}, {"a": [1, 2.5]}),
        ({"arguments": "7"}, 7),
        ({"arguments": "*** Begin Patch"}, "*** Begin Patch"),
        ({"arguments": ""}, ""),
        ({"arguments": "NaN"}, "NaN"),
        ({"arguments": {"is": "an object"}}, {"is": "an object"}),
        ({"arguments": None, "input": "{}"}, None),
        ({"input": '{"a":1}'}, {"a": 1}),
        ({}, None),
        ({"arguments": '{"half":"\ud800"}'}, {"half": "\ud800"}),
        ({"arguments": "[" * 10_000 + "]" * 10_000}, "[" * 10_000 + "]" * 10_000),
    ],
)
def test_the_input_of_a_call(kind: str, given: dict[str, Any], read: Any) -> None:
    found = blocks(kind, call_id="c", name="shell", **given)
    assert found == [{"type": "tool_use", "id": "c", "name": "shell", "input": read}]


@pytest.mark.parametrize("kind", ["function_call_output", "custom_tool_call_output"])
@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("listing", "listing"),
        ({"output": "", "content": "second", "text": "third"}, "second"),
        ({"text": "third"}, "third"),
        ({"metadata": {"exit_code": 1}}, '{"metadata":{"exit_code":1}}'),
        ([{"type": "input_text", "text": "x"}], '[{"type":"input_text","text":"x"}]'),
        ({"b": 1.0, "10": "é", "9": None}, '{"9":null,"10":"é","b":1}'),
        ({"half": "a\ud800"}, '{"half":"a\\ud800"}'),
        (0, "0"),
        (False, "false"),
    ],
)
def test_the_text_of_an_output(kind: str, output: Any, text: str) -> None:
    """An object without a text is printed as JavaScript prints it."""
    found = blocks(kind, call_id="c", output=output)
    assert found == [{"type": "tool_result", "tool_use_id": "c", "content": text}]


@pytest.mark.parametrize("output", [{"output": None}, {"output": ""}, {}])
def test_an_output_of_nothing_is_a_result_without_content(output: dict[str, Any]) -> None:
    found = blocks("function_call_output", call_id="c", **output)
    assert found == [{"type": "tool_result", "tool_use_id": "c"}]


def test_calls_and_outputs_need_an_id_and_calls_a_name() -> None:
    """The id of the item stands in for that of the call."""
    assert blocks("function_call", name="shell") is None
    assert blocks("function_call", call_id="c") is None
    assert blocks("function_call_output", output="x") is None
    assert (blocks("function_call", id="i", name="shell") or [{}])[0]["id"] == "i"
    assert (blocks("function_call_output", id="i") or [{}])[0]["tool_use_id"] == "i"
    both = item_of({"type": "function_call", "id": "i", "call_id": "c", "name": "shell"})
    assert both is not None
    assert (both.role, both.native_id, both.blocks[0]["id"]) == ("assistant", "i", "c")
    output = item_of({"type": "function_call_output", "call_id": "c"})
    assert output is not None
    assert (output.role, output.native_id) == ("tool", None)


@pytest.mark.parametrize(
    ("payload", "thought"),
    [
        (
            {"summary": [{"type": "summary_text", "text": "a"}, "b", {"summary_text": "c"}]},
            "a\nb\nc",
        ),
        ({"summary": "plain"}, "plain"),
        ({"summary": [], "content": [{"text": "from the content"}]}, "from the content"),
        ({"summary": [{"text": ""}], "content": "plain"}, "plain"),
        ({"summary": [], "content": None}, None),
        ({"summary": {"text": "no list"}}, None),
        ({}, None),
    ],
)
def test_thoughts_are_those_that_can_be_read(payload: dict[str, Any], thought: str | None) -> None:
    """import 36."""
    found = blocks("reasoning", encrypted_content="gAAAA", **payload)
    assert found == (None if thought is None else [{"type": "thinking", "thinking": thought}])


@pytest.mark.parametrize(
    "payload",
    [{"type": kind} for kind in ("local_shell_call", "web_search_call", "ghost_snapshot", "", 7)]
    + [{}],
)
def test_anything_else_is_no_item(payload: dict[str, Any]) -> None:
    said = {"id": "i", "call_id": "c", "name": "n", "content": "x", "summary": "x"}
    assert item_of({**said, **payload}) is None


def test_usage_is_carried_by_what_the_model_wrote() -> None:
    def carries(**payload: Any) -> bool:
        item = item_of(payload)
        assert item is not None
        return item.may_carry_usage

    assert carries(type="message", role="assistant", content="x")
    assert carries(type="function_call", call_id="c", name="n")
    assert not carries(type="message", role="user", content="x")
    assert not carries(type="reasoning", summary="x")
    assert not carries(type="function_call_output", call_id="c", output="x")


def last(**counts: Any) -> dict[str, Any] | None:
    info = {"last_token_usage": counts, "total_token_usage": {"input_tokens": 10**6}}
    return usage_of({"type": "token_count", "info": info})


def test_the_counts_of_a_turn_are_net_of_what_was_cached() -> None:
    """import 31."""
    found = last(
        input_tokens=13761, cached_input_tokens=9600, output_tokens=484,
        reasoning_output_tokens=189, total_tokens=14245,
    )  # fmt: skip
    assert found == {
        "input_tokens": 4161,
        "cache_read_tokens": 9600,
        "output_tokens": 484,
        "reasoning_tokens": 189,
        "total_tokens": 14245,
    }
    assert found["input_tokens"] + found["cache_read_tokens"] + found["output_tokens"] == 14245


@pytest.mark.parametrize(
    ("counts", "read"),
    [
        ({"input_tokens": 5}, {"input_tokens": 5}),
        ({"input_tokens": 5, "cached_input_tokens": 9},
         {"input_tokens": 0, "cache_read_tokens": 9}),
        ({"input_tokens": "12", "cached_input_tokens": " 2.0 "},
         {"input_tokens": 10, "cache_read_tokens": 2}),
        ({"cached_input_tokens": 0}, {"cache_read_tokens": 0}),
        ({"output_tokens": 1.5}, {"output_tokens": 1.5}),
        ({"output_tokens": 10**350, "total_tokens": 1}, {"total_tokens": 1}),
        ({"input_tokens": 10**350, "cached_input_tokens": 1.5}, {"cache_read_tokens": 1.5}),
        ({"output_tokens": float("inf")}, None),
        ({"output_tokens": "1_0", "total_tokens": "\u0661"}, None),
        ({"output_tokens": True, "input_tokens": "many", "total_tokens": [1]}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_counts_may_be_odd(counts: dict[str, Any], read: dict[str, Any] | None) -> None:
    assert last(**counts) == read


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "token_count", "info": None},
        {"type": "token_count", "info": {"total_token_usage": {"input_tokens": 1}}},
        {"type": "token_count", "info": {"last_token_usage": [1]}},
        {"type": "agent_message", "info": {"last_token_usage": {"input_tokens": 1}}},
    ],
)
def test_what_tells_no_counts_ends_no_turn(payload: dict[str, Any]) -> None:
    assert usage_of(payload) is None
