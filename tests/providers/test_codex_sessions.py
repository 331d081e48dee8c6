"""A rollout -> one exchange and its rows (import §5, §7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.providers import Window, parse_time_ms
from hypactors.usage_policy import Usage, UsagePolicy
from tests.providers.histories import (
    CodexHistory,
    attributes_of,
    called,
    codex_of,
    item,
    meta,
    record,
    spoken,
    tokens,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def history(tmp_path: Path) -> CodexHistory:
    return CodexHistory(tmp_path)


def usages(history: CodexHistory) -> list[int | None]:
    """Return of each row what it used."""
    return [attributes_of(row).get("usage", {}).get("input_tokens") for row in history.rows()]


def at(second: int) -> int | None:
    return parse_time_ms(f"2026-11-01T08:00:{second:02d}Z")


def test_a_turn_with_a_call_is_four_rows(history: CodexHistory) -> None:
    """import 28."""
    history.write(
        meta(),
        spoken(1, "user", "list the files"),
        called(2, "c9", arguments='{"command":["ls"]}'),
        item(3, "function_call_output", call_id="c9", output={"output": "a.txt", "metadata": {}}),
        spoken(4, "assistant", "one file"),
    )

    user, call, result, answer = history.rows()

    assert [row.role for row in (user, call, result, answer)] == [
        "user", "assistant", "tool", "assistant",
    ]  # fmt: skip
    assert (call.part_type, call.tool_name, call.tool_call_id) == ("tool_call", "shell", "c9")
    assert json.loads(call.tool_args or "") == {"command": ["ls"]}
    assert (result.part_type, result.tool_name) == ("tool_result", "shell")
    assert (result.tool_result_for, result.content_text) == ("c9", "a.txt")
    assert (user.content_text, answer.content_text) == ("list the files", "one file")
    assert (call.provider_type, call.provider_subtype) == ("function_call", "tool_use")
    assert [row.message_created_at for row in (user, answer)] == [at(1), at(4)]


def test_the_header_says_where_it_ran(history: CodexHistory) -> None:
    """import 29 and 33."""
    history.write(
        meta(
            cwd="/src",
            originator="codex_cli_rs",
            cli_version="0.92.0",
            model_provider="openai",
            source="cli",
            git={
                "repository_url": "https://user:tok@host/o/r.git",
                "commit_hash": "abc",
                "branch": "main",
                "dirty": False,
            },
        ),
        record("turn_context", 1, model="gpt-6", sandbox_policy={"type": "workspace-write"}),
        spoken(1, "user", "hello"),
    )

    [row] = history.rows()

    assert (row.provider, row.client_name, row.conversation_source) == ("openai", "codex", "codex")
    assert (row.cwd, row.repo_root, row.git_branch, row.head_sha) == ("/src", None, "main", "abc")
    assert row.git_remote == "https://host/o/r.git"
    assert (row.client_version, row.entrypoint) == ("0.92.0", "codex_cli_rs")
    assert (row.model, row.permission_mode) == ("gpt-6", "workspace-write")
    assert row.conversation_started_at == at(0)
    assert codex_of(row) == {
        "identity_source": "gateway_fallback",
        "session_id": "thread",
        "workspace": "/src",
        "git_origin_url": "https://host/o/r.git",
        "git_commit": "abc",
        "sandbox": "workspace-write",
        "originator": "codex_cli_rs",
        "model_provider": "openai",
        "source": "cli",
        "has_changes": False,
    }
    assert attributes_of(row)["client"] == {"name": "codex", "version": "0.92.0"}
    assert b"tok@" not in row.attributes


def test_ids_of_the_client_are_kept_and_make_it_native(history: CodexHistory) -> None:
    """import 29."""
    history.write(meta(), spoken(1, "user", "a", id="msg_1"), spoken(2, "user", "b"))

    first, second = history.rows()

    assert (first.message_id, first.part_id) == ("msg_1", "msg_1#0")
    assert [codex_of(row)["identity_source"] for row in (first, second)] == ["native"] * 2
    gateways = [attributes_of(row)["gateway"] for row in (first, second)]
    assert ["identity_source" in gateway for gateway in gateways] == [False, True]


@pytest.mark.parametrize(
    ("source", "side"),
    [("subagent", True), ("user", False), ("new", False), (None, None), (7, None)],
)
def test_a_thread_of_a_subagent_is_a_sidechain(
    history: CodexHistory, source: Any, *, side: bool | None
) -> None:
    """import 30."""
    history.write(meta(thread_source=source, parent_thread_id="above"), spoken(1, "user", "hello"))

    [row] = history.rows()

    assert row.is_sidechain is side
    assert row.user_type == (source if isinstance(source, str) else None)
    assert (row.parent_thread_id, row.agent_id) == ("above", None)


@pytest.mark.parametrize(
    ("names", "session", "thread", "told"),
    [
        ({"id": "t", "session_id": "s"}, "s", "t", "t"),
        ({"id": "t", "session_id": "t"}, "t", "t", None),
        ({"id": "t"}, "t", "t", None),
        ({"id": ""}, "0a1b2c3d-0000-4000-8000-00000000000a", None, None),
    ],
)
def test_a_session_holds_threads(
    history: CodexHistory, names: dict[str, str], session: str, thread: str, told: str | None
) -> None:
    """import 38."""
    name = "rollout-2026-11-02T00-00-10-0a1b2c3d-0000-4000-8000-00000000000a.jsonl"
    history.write(meta(**names), spoken(1, "user", "hello"), name=name)

    [row] = history.rows()

    assert (row.session_id, row.conversation_id) == (session, thread or session)
    assert codex_of(row).get("thread_id") == told
    assert attributes_of(row)["gateway"]["native_id"] == (thread or session)


def test_the_usage_of_a_turn_is_on_what_the_model_wrote_last(history: CodexHistory) -> None:
    """import 31: neither what was thought, nor what was said before, nor what the tool said."""
    history.write(
        meta(),
        spoken(1, "user", "go"),
        item(2, "reasoning", summary=["hm"]),
        spoken(3, "assistant", "on it"),
        called(4),
        item(5, "function_call_output", call_id="c1", output="done"),
        tokens(
            6, input_tokens=13761, cached_input_tokens=9600, output_tokens=484,
            reasoning_output_tokens=189, total_tokens=14245,
        ),
    )  # fmt: skip

    assert usages(history) == [None, None, None, 4161, None]


def test_a_turn_of_thoughts_alone_carries_nothing(history: CodexHistory) -> None:
    """import 32: and the usage of one turn goes to no other."""
    history.write(
        meta(),
        spoken(1, "user", "one"),
        spoken(2, "assistant", "first"),
        tokens(3, input_tokens=1),
        tokens(4, input_tokens=99),
        called(5),
        tokens(6, input_tokens=2),
        item(7, "reasoning", summary="only a thought"),
        tokens(8, input_tokens=3),
        spoken(9, "assistant", "without a count"),
    )

    assert usages(history) == [None, 1, 2, None, None]
    [exchange] = history.exchanges()
    assert [message.provider_type for message in exchange.messages] == [
        "message", "message", "function_call", "reasoning", "message",
    ]  # fmt: skip


def test_a_marker_in_the_window_does_not_count_for_a_turn_outside(history: CodexHistory) -> None:
    """import §3."""
    history.write(
        meta(cwd="/src"),
        spoken(1, "assistant", "old"),
        tokens(1, input_tokens=1),
        spoken(2, "assistant", "straddles"),
        tokens(4, input_tokens=2),
        spoken(5, "assistant", "new"),
        tokens(6, input_tokens=3),
        spoken(8, "user", "too new"),
        spoken(None, "user", "of no time"),
    )
    history.window = Window(at(3), at(7))

    rows = history.rows()

    assert [row.content_text for row in rows] == ["new", "of no time"]
    assert usages(history) == [3, None]
    # The header is read whatever its time is.
    assert (rows[0].cwd, rows[0].message_index, rows[0].previous_message_id) == ("/src", 0, "[]")
    history.window = Window(at(20), at(30))
    history.write(meta(), spoken(1, "user", "old"))
    assert history.exchanges() == []


@pytest.mark.parametrize("cwd", ["", "  ", "src", "./src", "~/src", 7, None])
def test_a_folder_that_says_not_where_it_is_is_none(history: CodexHistory, cwd: Any) -> None:
    """import 39: so that no usage policy is asked about it."""
    history.write(meta(cwd=cwd), record("turn_context", 1, cwd=cwd), spoken(1, "user", "hello"))

    [exchange] = history.exchanges()

    assert exchange.cwd is None
    assert "workspace" not in (exchange.attributes or {})["codex"]
    assert UsagePolicy().usage_of(exchange.cwd) is Usage.FULL


def test_turns_tell_what_the_header_does_not(history: CodexHistory) -> None:
    history.write(
        meta(cwd="relative", git={"origin_url": "git@host:o/r", "commit": "c", "is_dirty": True}),
        meta(id="another", cwd="/later"),
        record("turn_context", 1, cwd=" ", sandbox="read-only", model=""),
        record("turn_context", 2, cwd="/first", model="m1", sandbox_policy={"mode": "x"}),
        record("turn_context", 3, cwd="/second", model="m2", sandbox_policy={"type": "late"}),
        spoken(1, "user", "hello"),
    )

    [row] = history.rows()

    assert (row.session_id, row.cwd, row.model) == ("thread", "/first", "m1")
    assert (row.git_remote, row.head_sha, row.permission_mode) == ("git@host:o/r", "c", "read-only")
    assert codex_of(row)["has_changes"] is True


def test_encrypted_thoughts_are_nowhere(history: CodexHistory) -> None:
    """import 36."""
    history.write(
        meta(),
        item(1, "reasoning", summary=[{"text": "plain"}], encrypted_content="CANARY"),
        item(2, "reasoning", summary=[], encrypted_content="CANARY"),
    )

    [row] = history.rows()

    assert (row.part_type, row.content_text) == ("reasoning", "plain")
    assert "CANARY" not in repr(row)


def test_other_lines_make_no_rows(history: CodexHistory) -> None:
    said = {"type": "message", "role": "user", "content": "x"}
    history.write(
        meta(),
        record("event_msg", 1, type="agent_message", message="x"),
        record("compacted", 1, **said),
        record("world_state", 1, **said),
        json.dumps({"type": "response_item", "payload": [said]}),
        json.dumps({"type": ["response_item"], "payload": said}),
        json.dumps({"type": "response_item"}),
    )

    assert history.exchanges() == []
    assert history.findings.totals == {}


def test_the_same_words_without_an_id_are_one_row(history: CodexHistory) -> None:
    """import 40: a known loss, kept so that the ids agree (import §6.3)."""
    history.write(meta(), *(spoken(second, "user", "yes") for second in (1, 2)))

    [row] = history.rows()

    assert row.message_created_at == at(1)


def test_a_header_of_no_time_starts_when_it_is_imported(history: CodexHistory) -> None:
    """import §5.4: the one case that depends on the clock."""
    history.write(meta(timestamp="soon"), spoken(1, "user", "a"), spoken(None, "user", "b"))

    timed, untimed = history.rows()

    assert timed.message_created_at == at(1)
    assert untimed.message_created_at == untimed.conversation_started_at != at(0)
