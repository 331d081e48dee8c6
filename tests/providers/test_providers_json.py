"""JSON as the other client reads and prints it (import §6.2)."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.providers._json import (
    MAX_DEPTH,
    canonical,
    decode_lenient,
    is_too_deep,
    scrub,
    stringified,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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


JS_NUMBER = re.compile(
    r"-?(?:0|[1-9]\d{0,20})(?:\.\d*[1-9])?|-?[1-9](?:\.\d*[1-9])?e(?:-(?:[7-9]|[1-9]\d+)|\+\d\d+)"
)


@settings(max_examples=300)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**22), 10**22))
def test_a_number_is_printed_as_the_shortest_of_its_double(value: float) -> None:
    printed = canonical(value)

    assert JS_NUMBER.fullmatch(printed)
    assert float(printed) == float(value)
    digits = len(re.sub(r"e.*|[-.]", "", printed).strip("0"))
    assert digits <= len(re.sub(r"e.*|[-.]", "", repr(float(value))).strip("0"))
    assert stringified(value) == printed


KEYS = st.text(max_size=2) | st.integers(0, 30).map(str) | st.sampled_from(["01", "4294967295"])


@settings(max_examples=200)
@given(st.dictionaries(KEYS, st.none(), max_size=8))
def test_keys_come_in_the_order_of_a_javascript_object(value: dict[str, None]) -> None:
    def is_index(key: str) -> bool:
        return key in {str(number) for number in range(100)}

    indexes = sorted(filter(is_index, value), key=int)
    others = [key for key in value if not is_index(key)]
    by_units = sorted(others, key=lambda key: key.encode("utf-16-be"))

    assert list(json.loads(stringified(value))) == indexes + others
    assert list(json.loads(canonical(value))) == indexes + by_units


@settings(max_examples=100)
@given(st.text(st.characters(codec=None)))
def test_a_text_is_well_formed_however_it_was_cut(text: str) -> None:
    """Lone halves of pairs are escaped; what is printed can be written to a file."""
    printed = stringified(text)

    assert json.loads(printed.encode()) == text
    assert canonical(text) == printed
    assert scrub(text).encode().decode().count("\ufffd") >= len(re.findall("[\ud800-\udfff]", text))


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"k": value}])
def test_what_is_not_too_deep_is_printed(wrap: Callable[[Any], Any]) -> None:
    """Python allows a thousand frames, and counts some calls as two."""
    value: Any = 1.0
    for _ in range(MAX_DEPTH - 1):
        value = wrap(value)

    assert not is_too_deep(value)
    assert canonical(value) == stringified(value) == to_json(value)
    assert scrub(value) == value


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
