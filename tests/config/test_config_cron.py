"""The grammar of a schedule (config-control §1.5)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.config._cron import cron_fault, next_match

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "*/1 * * * *",
        "0 0 1 1 0",
        "59 23 31 12 7",
        "0-30/5,45 9-17 * * 1-5",
        "5/10 * * * *",
        "*/90 * * * *",
        "  0   4 * * *  ",
        "07 * * * *",
    ],
)
def test_a_schedule_is_accepted(text: str) -> None:
    assert cron_fault(text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("@hourly", "has 1 fields, not 5"),
        ("* * * *", "has 4 fields, not 5"),
        ("* * * * * *", "has 6 fields, not 5"),
        ("", "has 0 fields, not 5"),
        ("60 * * * *", "minute '60' is not within 0-59"),
        ("* 24 * * *", "hour '24' is not within 0-23"),
        ("* * 0 * *", "day of the month '0' is not within 1-31"),
        ("* * 32 * *", "day of the month '32' is not within 1-31"),
        ("* * * 13 *", "month '13' is not within 1-12"),
        ("* * * * 8", "day of the week '8' is not within 0-7"),
        ("50-70 * * * *", "minute '50-70' is not within 0-59"),
        ("30-10 * * * *", "minute '30-10' runs backwards"),
        ("*/0 * * * *", "minute '*/0' steps by 0"),
        ("1,,2 * * * *", "minute '' is no '*', number, range or step"),
        ("-1 * * * *", "minute '-1' is no '*', number, range or step"),
        ("*-5 * * * *", "minute '*-5' is no '*', number, range or step"),
        ("1.5 * * * *", "minute '1.5' is no '*', number, range or step"),
        ("* * * JAN *", "month 'JAN' is no '*', number, range or step"),
        ("*\t* * * *", "holds something that is not printable ASCII"),
        ("\u0661 * * * *", "holds something that is not printable ASCII"),
        (None, "must be a text with five fields"),
        (5, "must be a text with five fields"),
    ],
)
def test_what_is_no_schedule_is_named(text: object, fault: str) -> None:
    # config-control 5.
    assert cron_fault(text) == fault


def test_a_number_of_thousands_of_digits_is_an_ordinary_fault() -> None:
    assert cron_fault(f"{'9' * 5000} * * * *") is not None


@st.composite
def schedules(draw: st.DrawFn) -> str:
    fields = []
    for low, high in RANGES:
        items = []
        for _ in range(draw(st.integers(1, 3))):
            ends = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
            base = draw(st.sampled_from(["*", f"{ends[0]}", f"{ends[0]}-{ends[1]}"]))
            items.append(base + draw(st.sampled_from(["", "/1", "/7"])))
        fields.append(",".join(items))
    return " ".join(fields)


@settings(max_examples=100, deadline=None)
@given(schedules())
def test_whatever_the_grammar_makes_is_accepted(text: str) -> None:
    assert cron_fault(text) is None


@settings(max_examples=200, deadline=None)
@given(schedules(), st.data())
def test_one_number_out_of_range_is_found_anywhere(text: str, data: st.DataObject) -> None:
    fields = text.split()
    place = data.draw(st.integers(0, 4))
    fields[place] += f",{RANGES[place][1] + data.draw(st.integers(1, 1000))}"
    fault = cron_fault(" ".join(fields))
    assert fault is not None
    assert "is not within" in fault


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0159*/,- @aé\t", max_size=20) | st.text(max_size=20))
def test_any_text_gets_an_answer(text: str) -> None:
    fault = cron_fault(text)
    assert fault is None or fault


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("* * * * *", "2026-06-25T12:31"),
        ("*/5 * * * *", "2026-06-25T12:35"),
        ("30 12 * * *", "2026-06-26T12:30"),
        ("0 0 1 * *", "2026-07-01T00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 * * 0", "2026-06-28T00:00"),
        ("0 0 * * 7", "2026-06-28T00:00"),
        ("0 0 13 * 5", "2026-06-26T00:00"),
        ("10/20 * * * *", "2026-06-25T12:50"),
        ("0,45 13-14 * 6 1-5", "2026-06-25T13:00"),
        ("0 0 30 2 *", None),
        ("nonsense", None),
    ],
)
def test_when_a_schedule_is_due(schedule: str, due: str | None) -> None:
    """central §4.1: in UTC; a day is due by either of its fields when both say something."""
    found = next_match(schedule, datetime(2026, 6, 25, 12, 30, 1, tzinfo=UTC))
    assert (found and f"{found:%Y-%m-%dT%H:%M}") == due
