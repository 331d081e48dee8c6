"""JSON as the other client reads and prints it.

It holds every number as a double and every string as UTF-16: ``1.0`` prints ``1``,
``12345678901234567890`` prints ``12345678901234567000``, and a string may hold half a surrogate
pair. Stored ids and values have to come out the same (import §6.2).
"""

from __future__ import annotations

import functools
import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

# Deeper than anything a client writes. Python counts frames, some functions take two for a level,
# and the stack has other things on it: this is a quarter of what it allows.
MAX_DEPTH = 250

_MAX_EXACT = 2**53
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_INDEX = 2**32 - 2
_MAX_PLAIN = 21
_MIN_PLAIN = -7
# What has no number in it.
_SAME = frozenset({str, bool, type(None)})
_encode = msgspec.json.Encoder().encode


def decode_lenient(data: bytes | str) -> Any:
    """Decode what a fast decoder refuses and the other client does not. Raises ``ValueError``.

    Bytes that are not UTF-8 become U+FFFD, numbers beyond a double become infinite, and lone
    surrogates stay as they are: see ``scrub``. ``NaN`` and ``Infinity`` are not JSON.
    """
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_parse_int)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _parse_int(digits: str) -> int | float:
    # Python refuses to convert thousands of digits; a double has at most 309 of them.
    return int(digits) if len(digits) <= 400 else float(digits)  # noqa: PLR2004


def is_too_deep(value: object) -> bool:
    """Say whether ``value`` is nested deeper than ``MAX_DEPTH``, without recursion."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return False
        level = below
    return True


def scrub(value: Any) -> Any:
    """Replace each lone surrogate by U+FFFD: what becomes of it when a file is written."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    # A comprehension would take a second frame for each level.
    if isinstance(value, list):
        return list(map(scrub, value))
    if isinstance(value, dict):
        return dict(zip(map(scrub, value), map(scrub, value.values()), strict=True))
    return value


def to_json(value: Any) -> str:
    """Return compact JSON with the numbers as doubles. ``value`` holds no lone surrogates."""
    return to_json_bytes(value).decode()


def to_json_bytes(value: Any) -> bytes:
    """Return the same as UTF-8: what goes into a column need not be text in between."""
    plain = _with_doubles(value)
    try:
        return _encode(plain)
    except (OverflowError, msgspec.MsgspecError):  # an integer above 64 bits
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def one_text(text: str) -> str:
    """Return the JSON of a list of one text: what ``to_json`` does, without a look for numbers."""
    return _encode([text]).decode()


def _with_doubles(value: Any) -> Any:
    """Return ``value`` itself where nothing in it has to change."""
    kind = type(value)
    if kind is dict:
        changed = None
        for key, item in value.items():
            if type(item) not in _SAME and (new := _with_doubles(item)) is not item:
                changed = dict(value) if changed is None else changed
                changed[key] = new
        return value if changed is None else changed
    if kind is list:
        news = None
        for index, item in enumerate(value):
            if type(item) not in _SAME and (new := _with_doubles(item)) is not item:
                news = list(value) if news is None else news
                news[index] = new
        return value if news is None else news
    if kind is float or (kind is int and not -_MAX_EXACT <= value <= _MAX_EXACT):
        return _double(value)
    return value


def _double(value: float) -> int | float | None:
    try:
        double = float(value)
    except OverflowError:
        return None
    if not math.isfinite(double):
        return None
    if double.is_integer() and abs(double) < 10**_MAX_PLAIN:
        # Through the shortest digits: the double nearest to 2**70 prints with trailing zeros.
        return int(Decimal(repr(double)))
    return double


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no white space, exactly as the other client hashes it."""
    return _printed(value, _sorted_order)


def stringified(value: Any) -> str:
    """Return JSON without white space as ``JSON.stringify`` prints it. Takes lone surrogates."""
    return _printed(value, _own_order)


def _printed(value: Any, order: Callable[[str], Any]) -> str:
    if isinstance(value, str):
        return _quote(value)
    # Without generators, for the same reason.
    again = functools.partial(_printed, order=order)
    if isinstance(value, dict):
        keys = sorted(value, key=order)
        values = list(map(again, map(value.__getitem__, keys)))
        return "{" + ",".join(map("{}:{}".format, map(_quote, keys), values)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(list(map(again, value))) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _number(value)


def _own_order(key: str) -> tuple[int, int]:
    """Sort as a JavaScript object does: array indexes by number, then as they were added."""
    if key.isascii() and key.isdigit() and (key == "0" or key[0] != "0"):
        index = int(key) if len(key) <= len(str(_MAX_INDEX)) else _MAX_INDEX + 1
        if index <= _MAX_INDEX:
            return 0, index
    return 1, 0


def _sorted_order(key: str) -> tuple[tuple[int, int], bytes]:
    """Sort as one whose keys were added in the order of their UTF-16 code units."""
    return _own_order(key), key.encode("utf-16-be", "surrogatepass")


def _quote(text: str) -> str:
    return _LONE_SURROGATE.sub(
        lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False)
    )


def _number(value: float) -> str:
    """Print a number as JavaScript does: the shortest digits, plain from 1e-6 up to 1e21."""
    double = _double(value)
    if double is None:
        return "null"
    if isinstance(double, int):
        return str(double)
    sign, digits, exponent = Decimal(repr(double)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + int(exponent)
    prefix = "-" if sign else ""
    if 0 < point <= _MAX_PLAIN:
        return f"{prefix}{text[:point]}.{text[point:]}"
    if _MIN_PLAIN < point - 1 < 0 or point == 0:
        return f"{prefix}0.{'0' * -point}{text}"
    mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
    return f"{prefix}{mantissa}e{point - 1:+d}"
