"""Timestamps of transcripts (import §3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
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


@settings(max_examples=200)
@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001 - the offset comes next
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.integers(0, 9),
    st.sampled_from("T "),
)
def test_a_time_is_read_to_the_millisecond_wherever_it_was_written(
    local: datetime, offset: int, digits: int, separator: str
) -> None:
    fraction = f"{local.microsecond:06d}000"[:digits]
    sign, (hours, minutes) = "+-"[offset < 0], divmod(abs(offset), 60)
    text = local.replace(microsecond=0).isoformat(separator)
    text += f".{fraction}" * bool(digits) + f"{sign}{hours:02d}:{minutes:02d}"

    moment = local.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=offset)))
    seconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    assert parse_time_ms(text) == seconds * 1000 + int(f"{fraction}000"[:3])


@settings(max_examples=200)
@given(st.text("0123456789-:TZ+. W", max_size=26) | st.integers() | st.floats())
def test_any_value_is_a_time_that_can_be_stored_or_none(value: Any) -> None:
    moment = parse_time_ms(value)

    if moment is not None:
        assert day_of(moment) == iso_of(moment)[:10]
        assert parse_time_ms(iso_of(moment)) == moment


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
