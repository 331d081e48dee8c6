"""The marker file's content: tolerant to read, faithful to write."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hypactors.actions import Marker, MarkerBook

FOREIGN = b"""{
  "attach": {
    "claude": {
      "status": "done",
      "request_key": "claude",
      "rows": 1.0,
      "note": "caf\xc3\xa9 \\u00e9 \\/",
      "settings_path": "$HOME/.claude/settings.json"
    }
  },
  "backfill": {
    "@hypaware/claude": {
      "status": "done",
      "request_key": "@hypaware/claude",
      "at": "2026-11-23T11:41:19.763Z",
      "rows": 260
    }
  }
}
"""
DONE = Marker({"status": "done", "request_key": "k"})


def test_a_file_of_the_other_client_is_written_back_byte_for_byte() -> None:
    loaded = MarkerBook.load(FOREIGN)
    assert loaded.problems == ()
    assert loaded.book.encode() == FOREIGN


@pytest.mark.parametrize(
    "foreign",
    [
        b'{"claude":{"rows":1.0,"n":1e2,"escaped":"\\u00e9\\/"}}',
        b'{ "claude" : {  "deep": [1,\n 2] } }',
        '{"clau\u00e9": {"s": "\U0001f600"}}'.encode(),
    ],
)
def test_a_kind_nobody_touched_keeps_its_exact_bytes(foreign: bytes) -> None:
    book = MarkerBook.load(b'{"attach": ' + foreign + b', "backfill": {"k": {}}}').book
    changed = book.with_marker("backfill", "k", DONE).encode()
    assert b'"attach": ' + foreign + b",\n" in changed
    assert json.loads(changed)["backfill"] == {"k": dict(DONE.fields)}


def test_fields_nobody_knows_survive_a_rewrite_of_their_kind() -> None:
    raw = b'{"backfill": {"a": {"status": "done", "x": {"y": [1.0, null]}}}}'
    book = MarkerBook.load(raw).book.with_marker("backfill", "b", DONE)
    assert json.loads(book.encode())["backfill"]["a"] == {"status": "done", "x": {"y": [1.0, None]}}


def test_a_lone_surrogate_of_the_other_client_survives() -> None:
    raw = b'{"backfill": {"a": {"reason": "half \\ud83d"}}}'
    loaded = MarkerBook.load(raw)
    assert loaded.problems == ()
    encoded = loaded.book.with_marker("backfill", "b", DONE).encode()
    assert b'"half \\ud83d"' in encoded
    assert MarkerBook.load(encoded).book == loaded.book.with_marker("backfill", "b", DONE)


@pytest.mark.parametrize(
    ("raw", "said", "kept"),
    [
        (b"", "not JSON", {}),
        (b"{", "not JSON", {}),
        (b"\xff\xfe", "not JSON", {}),
        (b'{"a": {"k": {"n": NaN}}}', "not JSON", {}),
        (b'{"a": {"k": {"n": 1e999}}}', "not JSON", {}),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply", {}),
        (b'{"a": {"k": {"n": ' + b"[" * 70 + b"]" * 70 + b"}}}", "nested too deeply", {}),
        (b"[]", "no JSON object", {}),
        (b"null", "no JSON object", {}),
        (b'{"backfill": "x"}', "'backfill'", {}),
        (b'{"backfill": [], "attach": {"k": {}}}', "'backfill'", {"attach": {"k": {}}}),
        (b'{"backfill": {"bad": 3, "k": {}}}', "'bad'", {"backfill": {"k": {}}}),
    ],
)
def test_what_is_damaged_is_named_and_the_rest_is_kept(
    raw: bytes, said: str, kept: dict[str, Any]
) -> None:
    """client-actions §3, corruption tolerance."""
    loaded = MarkerBook.load(raw)
    (problem,) = loaded.problems
    assert problem.startswith("client-actions.json")
    assert said in problem
    assert "\n" not in problem
    assert loaded.book.as_mapping() == kept
    assert MarkerBook.load(loaded.book.encode()).problems == ()


def test_a_missing_file_is_empty_and_no_problem() -> None:
    loaded = MarkerBook.load(None)
    assert (loaded.book, loaded.problems) == (MarkerBook(), ())
    assert loaded.book.encode() == b"{}\n"


def test_an_empty_kind_is_not_written() -> None:
    """client-actions §3, C25: the last key takes its bucket along, siblings stay."""
    book = MarkerBook.load(b'{"empty": {}, "attach": {"a": {}, "b": {}}}').book
    assert json.loads(book.encode()) == {"attach": {"a": {}, "b": {}}}
    assert json.loads(book.without("attach", "a").encode()) == {"attach": {"b": {}}}
    assert book.without("attach", "a").without("attach", "b").encode() == b"{}\n"


def test_a_book_that_would_not_change_is_the_same_book() -> None:
    book = MarkerBook().with_marker("backfill", "k", DONE)
    assert book.with_marker("backfill", "k", Marker(dict(DONE.fields))) is book
    assert book.without("backfill", "other") is book
    assert book.without("other", "k") is book


def test_a_changed_book_leaves_the_old_one_alone() -> None:
    old = MarkerBook().with_marker("backfill", "k", DONE)
    new = old.without("backfill", "k").with_marker("attach", "claude", DONE)
    assert old.as_mapping() == {"backfill": {"k": dict(DONE.fields)}}
    assert new.as_mapping() == {"attach": {"claude": dict(DONE.fields)}}


def test_orders_are_stable() -> None:
    book = MarkerBook()
    for kind, key in [("z", "2"), ("a", "1"), ("z", "1")]:
        book = book.with_marker(kind, key, DONE)
    book = book.with_marker("z", "2", Marker({"status": "failed"}))
    assert [(kind, list(bucket)) for kind, bucket in json.loads(book.encode()).items()] == [
        ("z", ["2", "1"]),
        ("a", ["1"]),
    ]


@pytest.mark.parametrize("wrong", [None, True, 1.5, float("inf"), 2**80, "text", [], {}])
def test_fields_of_a_wrong_type_count_as_absent(wrong: object) -> None:
    names = "status request_key rows at reason last_attempt attempts run_id next_attempt_at"
    marker = Marker(dict.fromkeys([*names.split(), "installed_assets", "prior_done"], wrong))
    if not isinstance(wrong, str):
        for text in ("status", "request_key", "at", "reason", "last_attempt", "run_id"):
            assert getattr(marker, text) is None
    assert (marker.rows, marker.attempts, marker.next_attempt_at) == (None, None, None)
    assert marker.installed_assets == ()
    assert marker.prior_done is (wrong is True)
    assert not marker.is_done


def test_fields_are_read_as_the_other_client_means_them() -> None:
    marker = Marker(
        {
            "status": "applied",
            "rows": 30.0,
            "attempts": 2,
            "next_attempt_at": "2026-06-25T00:00:30.000Z",
            "installed_assets": ["/a", 7, None, "/b"],
        }
    )
    assert marker.is_done
    assert (marker.rows, marker.attempts) == (30, 2)
    assert marker.next_attempt_at == datetime(2026, 6, 25, 0, 0, 30, tzinfo=UTC)
    assert marker.installed_assets == ("/a", "/b")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"a":{"k":{"x":' + b"9" * 5000 + b"}}}")
@example(b'{"a":{"k":{"next_attempt_at":"9999-12-31T23:59:59-14:00"}}}')
@settings(max_examples=200)
def test_any_bytes_can_be_loaded_read_and_written(raw: bytes) -> None:
    loaded = MarkerBook.load(raw)
    book = loaded.book
    for kind, bucket in book.buckets.items():
        for key, marker in bucket.items():
            assert marker.attempts is None or isinstance(marker.attempts, int)
            assert marker.next_attempt_at is None or marker.next_attempt_at.tzinfo is UTC
            book = book.with_marker(kind, key, Marker({**marker.fields, "more": 1}))
    for each in (loaded.book, book):
        again = MarkerBook.load(each.encode())
        assert again.problems == ()
        assert again.book == each
        assert again.book.encode() == each.encode()
