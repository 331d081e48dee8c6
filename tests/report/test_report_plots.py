"""What is drawn is in proportion, and few colours are enough."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hypactors.report._plots import MOST_SERIES, OTHERS, Plot, drawings, grouped, legend, nice_top
from hypactors.sql import Calendar

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

DAYS = ["2026-11-01", "2026-11-02", "2026-11-04"]


def plot_of(rows: list[tuple[str, str, int]]) -> Plot:
    calendar = Calendar((day for day, _, _ in rows), 100)
    return Plot("p", "Plot", calendar, grouped(calendar, rows), str)


def bars(drawing: ET.Element) -> list[tuple[float, float]]:
    """Return top and height of each bar."""
    return [
        (float(each.attrib["y"]), float(each.attrib["height"])) for each in drawing.iter("rect")
    ]


def test_bars_are_in_proportion_and_stand_on_each_other() -> None:
    plot = plot_of([(DAYS[0], "a", 100), (DAYS[0], "b", 50), (DAYS[2], "a", 200)])
    wide, narrow = drawings(plot)

    (top_a, height_a), (top_b, height_b), (_, height_c) = bars(wide)
    assert abs(height_a - 2 * height_b) < 0.05
    assert abs(height_c - 2 * height_a) < 0.05
    assert abs(top_b + height_b - top_a) < 0.05
    assert len(bars(narrow)) == 3
    assert [title.text for title in wide.iter("title")] == [
        "Plot", "2026-11-01: 150, a 100, b 50", "2026-11-02: 0", "2026-11-03: 0",
        "2026-11-04: 200, a 200",
    ]  # fmt: skip


def test_what_has_no_colour_of_its_own_is_the_others() -> None:
    rows = [(DAYS[0], f"s{number}", 100 - number) for number in range(MOST_SERIES + 3)]
    plot = plot_of(rows)

    assert list(plot.series) == [*(f"s{number}" for number in range(MOST_SERIES)), OTHERS]
    assert plot.series[OTHERS] == {date(2026, 11, 1): 95 + 94 + 93}
    assert plot.total(date(2026, 11, 1)) == sum(number for _, _, number in rows)
    assert len({plot.colour(series) for series in plot.series}) == MOST_SERIES + 1
    assert legend(plot) is not None
    assert legend(plot_of(rows[:1])) is None


@given(st.integers(0, 10**15))
def test_a_scale_ends_above_its_data_and_has_even_steps(most: int) -> None:
    top = nice_top(most)
    assert top >= max(most, 4)
    assert top % 4 == 0
    assert top <= max(8, most * 2.5)


@given(
    st.lists(
        st.tuples(st.dates(date(2025, 1, 1), date(2026, 1, 1)), st.sampled_from("abcdefgh"),
                  st.integers(0, 10**12)),
        min_size=1,
    )
)  # fmt: skip
def test_nothing_is_drawn_outside(rows: list[tuple[date, str, int]]) -> None:
    plot = plot_of([(str(day), series, number) for day, series, number in rows])
    for drawing in drawings(plot):
        width, height = map(int, drawing.attrib["viewBox"].split()[2:])
        for each in drawing.iter("rect"):
            assert float(each.attrib["x"]) >= 0
            assert float(each.attrib["x"]) + float(each.attrib["width"]) <= width
            assert float(each.attrib["y"]) >= 0
            assert float(each.attrib["y"]) + float(each.attrib["height"]) <= height
