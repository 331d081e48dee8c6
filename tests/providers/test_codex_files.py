"""Finding rollouts, and reading whatever is in them (import §2.2, §5)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.providers import Finding, Findings, Notice, Window
from hypactors.providers.codex import _discover, _records
from hypactors.providers.codex._session import exchange_of
from hypactors.providers.files import lines_of
from tests.providers.histories import CodexHistory, Line, called, meta, spoken, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def history(tmp_path: Path) -> CodexHistory:
    return CodexHistory(tmp_path)


def test_one_item_for_each_rollout_sorted_by_path(history: CodexHistory) -> None:
    """import 34."""
    said = (meta(), spoken(1, "user", "hello"))
    history.write(*said, name="2026/11/02/rollout-a.jsonl")
    history.write(*said, name="2026/11/01/rollout-b.jsonl")
    history.write(*said, name="rollout-0.json")
    for name in ("other.jsonl", "rollout-x.txt", "rollout-x.jsonl.bak", "my-rollout-x.jsonl"):
        history.write(*said, name=name)

    names = [Path(found.source_path).name for found in history.exchanges()]

    assert names == ["rollout-b.jsonl", "rollout-a.jsonl", "rollout-0.json"]


def test_the_files_beside_the_sessions_are_not_read(history: CodexHistory) -> None:
    """import 37."""
    assert history.exchanges() == []
    for name in ("history.jsonl", "archived_sessions/rollout-x.jsonl", "log/rollout-y.jsonl"):
        history.write(meta(), spoken(1, "user", "hello"), name=f"../{name}")

    assert history.exchanges() == []
    assert history.findings.totals == {}


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({"HOME": "/h"}, "/h/.codex/sessions"),
        ({"HOME": "/h", "CODEX_HOME": ""}, "/h/.codex/sessions"),
        ({"HOME": "/h", "CODEX_HOME": "/c"}, "/c/sessions"),
        ({"HOME": "/h", "CODEX_HOME": "~/c"}, "/h/c/sessions"),
        ({"HOME": "/h", "CODEX_HOME": "~nobody-here/c"}, "~nobody-here/c/sessions"),
    ],
)
def test_the_folder_of_rollouts(environ: dict[str, str], root: str) -> None:
    assert str(_discover.sessions_root(environ)) == root


def test_history_that_cannot_be_read_is_told(history: CodexHistory) -> None:
    """import 35."""
    places = ("Library/Application Support/ChatGPT", ".config/ChatGPT")
    codex = "Library/Application Support/Codex"
    for place in (*places, codex):
        folder = history.root / place
        folder.mkdir(parents=True)
        (folder / "rollout-x.jsonl").write_text(json.dumps(spoken(1, "user", "hello")))

    def told(place: str, kind: str, **more: str) -> Notice:
        path = str(history.root / place)
        attributes = {"client_name": "codex", "location_kind": kind, "path": path}
        return Notice("unsupported_location", {**attributes, **more})

    assert getattr(history.scan(), "notices", ()) == (
        *(told(place, "chatgpt_desktop_app") for place in places),
        told(codex, "codex_desktop_app", covered_by="gateway_live,codex_sessions_rollout"),
    )
    assert history.exchanges() == []


@pytest.mark.parametrize("home", ["/missing", "/dev/null", "/" + "x" * 300])
def test_a_home_that_cannot_be_looked_at_has_none(home: str) -> None:
    assert list(_discover.unsupported_locations({"HOME": home})) == []


def legacy(**document: Any) -> str:
    return json.dumps(document)


def test_an_early_document_is_a_session(history: CodexHistory) -> None:
    """import 34."""
    session = {"id": "old", "timestamp": "2025-04-01T00:00:00Z", "cwd": "/src"}
    payloads = [spoken(None, "user", "hello")["payload"], 7, called(None)["payload"]]
    text = json.dumps({"session": session, "items": payloads}, indent=2)
    history.write(text, name="rollout-2025-04-01-x.json")
    history.window = Window(1, 2)  # nothing in it has a time

    [exchange] = history.exchanges()

    assert (exchange.session_id, exchange.cwd) == ("old", "/src")
    assert [message.role for message in exchange.messages] == ["user", "assistant"]
    assert all(message.message_created_ms is None for message in exchange.messages)


@pytest.mark.parametrize(
    ("lines", "roles"),
    [
        ([legacy(items=[spoken(None, "user", "x")["payload"]])], ["user"]),
        ([legacy(session=7, items=[spoken(None, "user", "x")["payload"]]), ""], ["user"]),
        ([legacy(items={})], []),
        ([legacy(items=[])], []),
        ([legacy(items=[spoken(None, "user", "x")["payload"]]), "{}"], []),
        (["", json.dumps(spoken(1, "tool", "modern"))], ["tool"]),
        ([json.dumps({**spoken(1, "tool", "modern"), "items": 7})], ["tool"]),
        (["torn", json.dumps(spoken(1, "tool", "modern"))], ["tool"]),
        (['{"torn', json.dumps(spoken(1, "tool", "modern"))], ["tool"]),
    ],
)
def test_early_and_modern_are_told_apart_by_what_is_in_them(
    history: CodexHistory, lines: list[str], roles: list[str]
) -> None:
    history.write(*lines)

    found = [message.role for exchange in history.exchanges() for message in exchange.messages]

    assert found == roles


def test_a_long_first_line_does_not_make_a_document(
    history: CodexHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header with long instructions: the file is not read whole to find out what it is."""
    history.write(meta(instructions="x" * 100_000), spoken(1, "user", "hello"))

    def refuse(_data: bytes) -> None:
        raise AssertionError("read as one document")

    monkeypatch.setattr(_records, "legacy_document", refuse)

    assert len(history.exchanges()) == 1


def test_without_a_header_the_file_names_the_session(history: CodexHistory) -> None:
    history.write(spoken(1, "user", "hello"), name="rollout-some-name.jsonl")

    [row] = history.rows()

    assert row.session_id == row.conversation_id == "rollout-some-name"


def test_a_file_name_that_is_no_text_names_a_session_all_the_same(history: CodexHistory) -> None:
    history.write(spoken(1, "user", "hello"), name=os.fsdecode(b"rollout-\xff.jsonl"))

    [row] = history.rows()

    assert row.session_id == "rollout-\ufffd"


def test_lines_that_are_no_json_are_counted_once(history: CodexHistory) -> None:
    path = history.write("\ufeff" + json.dumps(meta()), "  ", "{torn", spoken(1, "user", "x"), "[]")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    [row] = history.rows()

    # A byte order mark is white space to the other client.
    assert row.session_id == "thread"
    assert history.findings.totals == {Finding.UNPARSEABLE_LINE: 1}


def test_a_long_rollout_is_read_again_and_makes_the_same(
    history: CodexHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.write(
        meta(),
        "{torn",
        spoken(1, "user", "a"),
        called(2),
        tokens(3, input_tokens=5),
        spoken(4, "user", "b"),
    )
    held = history.rows()
    monkeypatch.setattr(_records, "HELD_BYTES", 0)
    history.findings = Findings()

    assert history.rows() == held
    assert history.findings.totals == {Finding.UNPARSEABLE_LINE: 1}


def test_an_error_midway_keeps_what_was_read(
    history: CodexHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the first reading and on the second, which happens while rows are made."""
    history.write(meta(), *(spoken(number, "user", str(number)) for number in range(1, 6)))
    monkeypatch.setattr(_records, "HELD_BYTES", 0)
    calls, broken_at = 0, 0

    def broken(*arguments: Any) -> Iterator[tuple[int, bytes]]:
        nonlocal calls
        calls += 1
        for number, found in enumerate(lines_of(*arguments)):
            if calls == broken_at and number == 3:
                raise OSError(5, "Input/output error")
            yield found

    monkeypatch.setattr(_records, "lines_of", broken)
    for reading, said in ((2, ["1", "2", "3", "4", "5"]), (3, ["1", "2"])):
        calls, broken_at = 0, reading
        history.findings = Findings()
        assert [row.content_text for row in history.rows()] == said
        assert history.findings.totals == {Finding.UNREADABLE_FILE: 1}
        assert history.findings.details[0].reason == "Input/output error"


def test_messages_wait_for_no_more_than_the_count_that_may_follow(history: CodexHistory) -> None:
    """A rollout without counts, however long, is not gathered in memory."""
    history.write(meta(), *(spoken(number, "assistant", str(number)) for number in range(10)))
    taken: list[int] = []
    item_of = _records.Rollout.records

    with (history.sessions / "2026/11/01/rollout-x.jsonl").open("rb") as stream:
        rollout = _records.Rollout(stream, "x", Findings())
        exchange = exchange_of(rollout, Path("rollout-x.jsonl"), Window())
        assert exchange is not None

        def counted(_self: _records.Rollout) -> Iterator[_records.Record]:
            for number, each in enumerate(item_of(rollout)):
                taken.append(number)
                yield each

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_records.Rollout, "records", counted)
            assert next(iter(exchange.messages)).content[0]["text"] == "0"

    assert len(taken) == 3  # the header, the message, and the one that takes its chance of a count


TEXTS = st.text(max_size=3) | st.sampled_from(["\ud800", "a\udfff", "~x", "/", "2026-11-01"])
NUMBERS = st.integers(-(10**25), 10**25) | st.sampled_from([10**350, 1e308, 0.5]) | st.floats()
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
KINDS = ["message", "function_call", "function_call_output", "reasoning", "token_count"]
COUNTS = st.sampled_from(["input_tokens", "cached_input_tokens", "output_tokens"])
KEYS = (
    "id call_id name arguments input output content summary role "
    "cwd git timestamp session_id thread_source model sandbox_policy"
)
PAYLOADS = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        "info": st.fixed_dictionaries(
            {"last_token_usage": st.dictionaries(COUNTS, NUMBERS | TEXTS)}
        ),
        **dict.fromkeys(KEYS.split(), JSON),
    },
)
RECORDS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["session_meta", "turn_context", "response_item", "event_msg"]),
        "payload": PAYLOADS | JSON,
    },
    optional={"timestamp": JSON},
)


@settings(max_examples=150, deadline=None)
@given(st.lists(RECORDS, max_size=5))
def test_no_rollout_breaks_a_row(
    tmp_path_factory: pytest.TempPathFactory, records: list[Line]
) -> None:
    history = CodexHistory(tmp_path_factory.getbasetemp() / "fuzzed")
    history.write(*records)

    for row in history.rows():
        for value in row:
            if isinstance(value, str):
                value.encode()  # no half of a pair: a column could not hold it
        json.loads(row.attributes)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80), st.booleans())
def test_no_bytes_break_the_reader(
    tmp_path_factory: pytest.TempPathFactory,
    data: bytes,
    is_legacy: bool,  # noqa: FBT001 - what hypothesis passes
) -> None:
    history = CodexHistory(tmp_path_factory.getbasetemp() / "bytes")
    path = history.write()
    path.write_bytes(b'{"items":[' * is_legacy + data + b"]}" * is_legacy)

    assert all(json.loads(row.attributes) for row in history.rows())
