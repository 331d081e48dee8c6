from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.config import (
    BlobSink,
    ConfigDocument,
    DocumentError,
    PluginEntry,
    RequestSink,
    Retention,
    parse_document,
    plain_document,
    retention_days,
)

FULL: dict[str, Any] = {
    "version": 2,
    "plugins": [
        {"name": "@hypaware/central"},
        {
            "name": "@hypaware/claude",
            "enabled": False,
            "config": {"backfill": {"on_join": True}},
            "version": "2.0.0",
            "artifact_hash": "sha256-abc",
            "source": "git+https://example.org/claude",
            "note": "ignored",
        },
    ],
    "sinks": {
        "central": {"plugin": "@hypaware/central", "config": {"url": "http://127.0.0.1:1"}},
        "files": {"writer": "@hypaware/format-jsonl", "destination": "@hypaware/local-fs"},
    },
    "query": {
        "cache": {
            "dir": "/somewhere",
            "retention": {"default_days": 30, "datasets": {"ai_gateway_messages": 7.5}},
            "maintenance": {"enabled": True, "interval_minutes": 5, "unknown": "kept out"},
            "catalog": {"uri": "https://lake.example.org", "s3.region": "eu-1"},
        },
        "remotes": {"work": {"url": "https://example.org"}},
        "default_remote": "work",
    },
    "disambiguate": {"hypaware.completion": "@hypaware/completion-openai"},
}


def parse(value: object) -> ConfigDocument:
    return parse_document(json.dumps(value).encode())


def problems(value: object) -> list[tuple[str, str]]:
    with pytest.raises(DocumentError) as caught:
        parse(value)
    assert caught.value.kind == "config_invalid_shape"
    return [(error.pointer, error.message) for error in caught.value.errors]


def pointers(value: object) -> list[str]:
    return [pointer for pointer, _ in problems(value)]


def test_full_document_parses() -> None:
    """config-control 1, 2."""
    document = parse(FULL)

    assert document.plugins == (
        PluginEntry("@hypaware/central"),
        PluginEntry(
            "@hypaware/claude",
            enabled=False,
            config={"backfill": {"on_join": True}},
            version="2.0.0",
            artifact_hash="sha256-abc",
            source="git+https://example.org/claude",
        ),
    )
    assert document.sinks == {
        "central": RequestSink("@hypaware/central", {"url": "http://127.0.0.1:1"}),
        "files": BlobSink("@hypaware/format-jsonl", "@hypaware/local-fs"),
    }
    assert document.query is not None
    assert document.query.retention == Retention(30, {"ai_gateway_messages": 7.5})
    assert document.query.maintenance == {"enabled": True, "interval_minutes": 5}
    assert document.query.catalog == {"uri": "https://lake.example.org", "s3.region": "eu-1"}
    assert document.query.remotes == {"work": "https://example.org"}
    assert document.disambiguate == {"hypaware.completion": "@hypaware/completion-openai"}


def test_minimal_document_parses() -> None:
    assert parse({"version": 2}) == ConfigDocument()
    assert parse({"version": 2.0}) == ConfigDocument()


def test_an_empty_query_block_is_there() -> None:
    """config-control 9: its presence counts."""
    assert parse({"version": 2, "query": {}}).query is not None


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], [""]),
        (None, [""]),
        ({}, ["/version"]),
        ({"version": 1}, ["/version"]),
        ({"version": "2"}, ["/version"]),
        ({"version": True}, ["/version"]),
        ({"version": 2, "mode": "x", "a/b~c": 1}, ["/mode", "/a~1b~0c"]),
        ({"version": 2, "plugins": {}}, ["/plugins"]),
        ({"version": 2, "plugins": None}, ["/plugins"]),
        ({"version": 2, "plugins": ["x", {}]}, ["/plugins/0", "/plugins/1/name"]),
        ({"version": 2, "plugins": [{"name": ""}]}, ["/plugins/0/name"]),
        ({"version": 2, "plugins": [{"name": "p", "version": 7}]}, ["/plugins/0/version"]),
        (
            {"version": 2, "plugins": [{"name": "p", "source": "", "artifact_hash": None}]},
            ["/plugins/0/source", "/plugins/0/artifact_hash"],
        ),
        ({"version": 2, "plugins": [{"name": "p", "enabled": 1}]}, ["/plugins/0/enabled"]),
        ({"version": 2, "plugins": [{"name": "p", "enabled": "false"}]}, ["/plugins/0/enabled"]),
        ({"version": 2, "plugins": [{"name": "p", "config": []}]}, ["/plugins/0/config"]),
        ({"version": 2, "sinks": []}, ["/sinks"]),
        ({"version": 2, "sinks": {"": {"plugin": "p"}}}, ["/sinks/"]),
        ({"version": 2, "sinks": {"s": 1}}, ["/sinks/s"]),
        ({"version": 2, "sinks": {"s": {}}}, ["/sinks/s"]),
        ({"version": 2, "sinks": {"s": {"plugin": "p", "writer": "w"}}}, ["/sinks/s"]),
        ({"version": 2, "sinks": {"s": {"writer": "w"}}}, ["/sinks/s/destination"]),
        ({"version": 2, "sinks": {"s": {"destination": "d"}}}, ["/sinks/s/writer"]),
        (
            {"version": 2, "sinks": {"s": {"plugin": "", "config": 1}}},
            ["/sinks/s/plugin", "/sinks/s/config"],
        ),
        ({"version": 2, "query": None}, ["/query"]),
        ({"version": 2, "query": {"cache": {"dir": ""}}}, ["/query/cache/dir"]),
        (
            {"version": 2, "query": {"cache": {"retention": {}}}},
            ["/query/cache/retention/default_days"],
        ),
        (
            {
                "version": 2,
                "query": {"cache": {"maintenance": {"enabled": 1, "max_tick_ms": True}}},
            },
            ["/query/cache/maintenance/enabled", "/query/cache/maintenance/max_tick_ms"],
        ),
        ({"version": 2, "query": {"cache": {"catalog": "x"}}}, ["/query/cache/catalog"]),
        ({"version": 2, "query": {"cache": {"catalog": {}}}}, ["/query/cache/catalog"]),
        (
            {"version": 2, "query": {"cache": {"catalog": {"uri": "", "a/b": 1, "type": "sql"}}}},
            ["/query/cache/catalog/uri", "/query/cache/catalog/a~1b"],
        ),
        ({"version": 2, "query": {"remotes": {"r": {"url": "ftp://x"}}}}, ["/query/remotes/r/url"]),
        ({"version": 2, "query": {"remotes": {"r": "http://x"}}}, ["/query/remotes/r"]),
        ({"version": 2, "query": {"default_remote": 1}}, ["/query/default_remote"]),
        ({"version": 2, "disambiguate": {"cap": ""}}, ["/disambiguate/cap"]),
    ],
)
def test_wrong_shape_is_named_by_pointer(document: object, expected: list[str]) -> None:
    """config-control 1, 2."""
    assert pointers(document) == expected


@pytest.mark.parametrize("days", [-1, "30", True, None, [], 10**400])
def test_retention_takes_only_finite_amounts(days: object) -> None:
    document = {"version": 2, "query": {"cache": {"retention": {"default_days": days}}}}
    assert pointers(document) == ["/query/cache/retention/default_days"]


def test_all_errors_are_collected_in_document_order() -> None:
    document = {
        "plugins": [{"name": "p", "version": 7}, {"enabled": True}],
        "unknown": 1,
        "version": 3,
        "disambiguate": [],
    }
    assert problems(document) == [
        ("/plugins/0/version", "must be a non-empty string"),
        ("/plugins/1/name", "is required"),
        ("/unknown", "is not a known key"),
        ("/version", "must be 2"),
        ("/disambiguate", "must be an object"),
    ]


def test_error_text_is_its_first_problem() -> None:
    with pytest.raises(DocumentError, match=r"^<root>: must be a JSON object$"):
        parse([])
    with pytest.raises(DocumentError, match=r"^/version: must be 2$"):
        parse({"version": 1, "plugins": 2})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"version": 2} {"version": 2}',
        b'{"version": NaN}',
        b'{"version": 2, "plugins": [{"name": "p", "config": {"x": Infinity}}]}',
        b'{"version": 2, "query": {"cache": {"retention": {"default_days": 1e999}}}}',
        b'{"version": 2, "plugins": [{"name": "\\ud800"}]}',
        b'{"version": 2, "plugins": [{"name": "\\udc00x"}]}',
        b'{"version": 2, "plugins": [{"name": "\xff"}]}',
        b"\xef\xbb\xbf" + b'{"version": 2}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        '{"version": 2}'.encode("utf-16"),
    ],
)
def test_what_is_not_json_is_an_ordinary_failure(raw: bytes) -> None:
    """NaN, lone surrogates and deep nesting end like any other bad text (config-control §8)."""
    with pytest.raises(DocumentError) as caught:
        parse_document(raw)
    assert caught.value.kind == "config_invalid_json"
    assert [error.pointer for error in caught.value.errors] == [""]


def test_of_a_key_given_twice_the_last_counts() -> None:
    """As in the other client, so that both see one document."""
    document = parse_document(b'{"version": 1, "version": 2, "sinks": 3, "sinks": {}}')
    assert document == ConfigDocument()


def test_retention_goes_from_dataset_to_default_to_ninety_days() -> None:
    document = parse(FULL)
    assert retention_days(document, "ai_gateway_messages") == 7.5
    assert retention_days(document, "other") == 30
    assert retention_days(parse({"version": 2, "query": {}}), "other") == 90
    assert retention_days(None, "other") == 90


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
# Keys that mean something, holding anything: that is where a check can trip.
SECTIONS = st.sampled_from(list(FULL))
NESTED = st.dictionaries(
    st.sampled_from(["cache", "retention", "default_days", "datasets", "name", "plugin", "config"]),
    JSON,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(SECTIONS, JSON | NESTED | st.lists(NESTED, max_size=3)))
def test_any_json_parses_or_says_what_is_wrong(value: dict[str, object]) -> None:
    failure = failure_of(json.dumps(value).encode())
    assert failure is None or all(problem.message for problem in failure.errors)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_parse_or_fail_as_a_document(raw: bytes) -> None:
    failure = failure_of(raw)
    assert failure is None or failure.errors


def failure_of(raw: bytes) -> DocumentError | None:
    try:
        parse_document(raw)
    except DocumentError as error:
        return error
    return None


def test_a_plain_document_holds_what_is_known_and_nothing_that_was_left_out() -> None:
    plain = plain_document(parse(FULL))
    expected = json.loads(json.dumps(FULL))
    del expected["plugins"][1]["note"]
    del expected["query"]["cache"]["maintenance"]["unknown"]
    assert plain == expected
    assert plain_document(ConfigDocument()) == {"version": 2}


@settings(max_examples=50, deadline=None)
@given(st.sets(st.sampled_from(sorted(FULL.keys() - {"version"}))))
def test_a_plain_document_reads_back_as_the_same(keys: set[str]) -> None:
    document = parse({"version": 2, **{key: FULL[key] for key in sorted(keys)}})
    assert parse(plain_document(document)) == document
