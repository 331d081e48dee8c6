"""JSON as the other client reads and prints it (import §6.2)."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.providers._json import (
    MAX_DEPTH,
    canonical,
    decode_lenient,
    is_too_deep,
    scrub,
    to_json,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (-12.25, "-12.25"),
        (0.1, "0.1"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (123456.789, "123456.789"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e25, "1.25e+25"),
        (2**53 + 1, "9007199254740992"),
        (12345678901234567890, "12345678901234567000"),
        (10**400, "null"),
        (math.inf, "null"),
        (math.nan, "null"),
    ],
)
def test_numbers_print_as_doubles(value: float, printed: str) -> None:
    assert canonical(value) == printed
    assert float(json.loads(to_json(value)) or 0) == float(json.loads(printed) or 0)


def test_keys_are_sorted_with_array_indexes_first() -> None:
    value = {"b": 1, "10": 2, "9": 3, "a": {"z": [], "y": True}, "01": 4, "4294967295": 5}

    assert canonical(value) == ('{"9":3,"10":2,"01":4,"4294967295":5,"a":{"y":true,"z":[]},"b":1}')


def test_keys_are_sorted_by_utf16_code_units() -> None:
    # U+1F600 is a pair of surrogates, and those sort before U+FF5E.
    assert canonical({"\uff5e": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\uff5e":1}'


def test_a_lone_surrogate_prints_as_an_escape_and_the_rest_as_it_is() -> None:
    assert canonical('a\ud800b"\x00\u2028é') == '"a\\ud800b\\"\\u0000\u2028é"'


@settings(max_examples=100)
@given(JSON)
def test_canonical_json_is_the_same_value_and_does_not_depend_on_key_order(value: Any) -> None:
    assert json.loads(canonical(value)) == value
    assert canonical(_reversed(value)) == canonical(value)
    assert json.loads(to_json(value)) == value


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b"{oops", b"", b"\xef\xbb\xbf{}"])
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_lenient(data)


def test_what_a_fast_decoder_refuses_is_read_as_the_other_client_reads_it() -> None:
    digits = b"9" * 5000
    value = decode_lenient(b'{"big":1e999,"long":' + digits + b',"bytes":"\xff","half":"\\ud800"}')

    assert value == {"big": math.inf, "long": math.inf, "bytes": "\ufffd", "half": "\ud800"}
    assert to_json(scrub(value)) == '{"big":null,"long":null,"bytes":"\ufffd","half":"\ufffd"}'


def test_depth_is_judged_without_recursion() -> None:
    value: Any = []
    for _ in range(MAX_DEPTH - 2):
        value = [value]
    assert not is_too_deep(value)
    for _ in range(100_000):
        value = {"a": value}
    assert is_too_deep(value)
    while value:  # taken apart by hand: freeing it at once would recurse as deep
        value = value["a"] if isinstance(value, dict) else value[0]
