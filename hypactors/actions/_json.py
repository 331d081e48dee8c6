"""JSON as the other client reads and writes it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest number that both clients count exactly."""

MAX_DEPTH = 64
"""Deeper values are refused: the encoder recurses, so it must never meet what would break it."""


def decode_json(raw: bytes) -> Any:
    """Decode strictly: NaN, infinities, numbers out of range and deep nesting are ``ValueError``.

    A lone surrogate is read, because the other client may write one, and ``encode_json`` puts it
    back the same way.
    """
    try:
        value = json.loads(raw.decode(), parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not _is_within(value, MAX_DEPTH):
        raise ValueError("nested too deeply")
    return value


def encode_json(value: object) -> bytes:
    """Encode with two-space indent. Raises ``TypeError`` or ``ValueError`` for what is not JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, the one thing UTF-8 cannot hold, becomes its own JSON escape.
    return text.encode(errors="backslashreplace")


def is_json_object(value: object) -> bool:
    """Tell whether ``value`` is a mapping that survives being written and read back."""
    if not isinstance(value, Mapping):
        return False
    try:
        decode_json(encode_json(dict(value)))
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def whole_number(value: object) -> int | None:
    """Return a JSON number that counts something, else None.

    To the other client ``30.0`` is the integer 30; to Python ``True`` is one, and must not be.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if abs(value) <= MAX_SAFE_INTEGER and value == int(value) else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def _is_within(value: object, depth: int) -> bool:
    match value:
        case dict():
            return depth > 0 and all(_is_within(each, depth - 1) for each in value.values())
        case list():
            return depth > 0 and all(_is_within(each, depth - 1) for each in value)
        case _:
            return True
