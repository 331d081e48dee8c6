"""What a line of the log is to a collector."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.logs import parse_line
from hypactors.observability._otlp_records import (
    LONGEST_TEXT,
    SpanRef,
    attributes,
    record_of,
    time_ns,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_a_record_says_what_the_line_says() -> None:
    raw = {
        "ts": "2026-11-25T12:00:00.250Z",
        "level": "warning",
        "event": "history_read",
        "pid": 7,
        "provider": "claude",
        "left": None,
    }
    line = parse_line(json.dumps(raw).encode())
    assert line is not None
    record = record_of(line, SpanRef(1, 2))
    assert (record.event, record.level, record.span) == ("history_read", "warning", SpanRef(1, 2))
    assert record.time_ns == 1_795_608_000_250_000_000
    assert record.attributes == {"pid": 7, "provider": "claude"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (1.5, 1.5),
        (2**63, "9223372036854775808"),
        (-(2**70), "-1180591620717411303424"),
        (["a", 1], '["a", 1]'),
        ({"ü": None}, '{"ü": null}'),
        ("a\udc80b", "a?b"),
        (["\udc80"], '["?"]'),
        ("x" * LONGEST_TEXT, "x" * LONGEST_TEXT),
        ("x" * (LONGEST_TEXT + 1), "x" * (LONGEST_TEXT - 1) + "…"),
    ],
)
def test_each_value_goes_as_something_that_can_be_sent(value: object, expected: object) -> None:
    assert attributes([("key", value)]) == {"key": expected}


@given(st.dictionaries(st.text(st.characters()), VALUES))
def test_no_value_costs_the_batch(fields: dict[str, object]) -> None:
    """What a record holds can be encoded, whatever was logged."""
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue  # noqa: PLC0415 - slow to load

    for key, value in attributes(fields.items()).items():
        key.encode()
        match value:
            case bool():
                AnyValue(bool_value=value)
            case int():
                AnyValue(int_value=value)
            case float():
                sent = AnyValue(double_value=value).double_value
                assert sent == value or math.isnan(value)
            case str():
                assert AnyValue(string_value=value).string_value == value


@pytest.mark.parametrize("ts", ["", "soon", "0001-01-01T00:00:00.000Z", "9999-99-99T00:00:00Z"])
def test_a_time_of_no_sense_is_unknown(ts: str) -> None:
    assert time_ns(ts) == 0
