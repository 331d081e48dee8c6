"""Timestamps of transcripts (import §3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.providers import Window
from hypactors.providers._time import day_of, iso_of, parse_time_ms


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("2026-11-01T08:00:00.123Z", "2026-11-01T08:00:00.123Z"),
        ("2026-11-01T08:00:00.123999Z", "2026-11-01T08:00:00.123Z"),
        ("2026-11-01T08:00:00+02:00", "2026-11-01T06:00:00.000Z"),
        ("2026-11-01", "2026-11-01T00:00:00.000Z"),
        ("2026-11-01T08:00", "2026-11-01T08:00:00.000Z"),
        (1793520000005, "2026-11-01T08:00:00.005Z"),
        (1793520000005.9, "2026-11-01T08:00:00.005Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_usable_times(value: Any, iso: str) -> None:
    moment = parse_time_ms(value)

    assert moment is not None
    assert iso_of(moment) == iso
    assert day_of(moment) == iso[:10]


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "",
        "20261101",
        "2026-W01-1",
        "2026-13-01",
        "0001-01-01T00:00:00+10:00",
        None,
        True,
        [],
        {},
        float("inf"),
        float("nan"),
        1e300,
        10**30,
    ],
)
def test_anything_else_is_absent(value: Any) -> None:
    assert parse_time_ms(value) is None


@settings(max_examples=100)
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_being_written(moment: datetime) -> None:
    text = moment.isoformat(timespec="milliseconds")
    parsed = parse_time_ms(text)

    assert parsed is not None
    assert iso_of(parsed) == text.replace("+00:00", "Z")


def test_both_ends_of_a_window_belong_to_it() -> None:
    window = Window(10, 20)

    assert [window.keeps(moment) for moment in (9, 10, 20, 21, None)] == [
        False,
        True,
        True,
        False,
        True,
    ]
    assert Window().keeps(-(10**15))
