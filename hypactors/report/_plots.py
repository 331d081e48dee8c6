"""Bars over time as SVG: drawn here, so that the page needs no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence  # noqa: TC003 - a public annotation of a dataclass
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hypactors.report._elements import element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from xml.etree import ElementTree as ET

    from hypactors.sql import Calendar

OTHERS = "others"
MOST_SERIES = 5
"""More colours than that cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars on top of each other, one pile a period; each series has its colour, the first most."""

    name: str
    title: str
    calendar: Calendar
    series: Mapping[str, Mapping[date, int]]
    figure: Callable[[int], str]

    def total(self, start: date) -> int:
        return sum(values.get(start, 0) for values in self.series.values())

    def colour(self, series: str) -> str:
        """Return the class that paints a series."""
        return "c0" if series == OTHERS else f"c{list(self.series).index(series) + 1}"

    def label(self, start: date) -> str:
        match self.calendar.unit:
            case "day":
                return f"{start}"
            case "week":
                return f"week of {start}"
            case "month":
                return f"{start:%Y-%m}"


class _Size(NamedTuple):
    width: int
    height: int
    label_room: int


_SIZES = {"wide": _Size(760, 250, 64), "narrow": _Size(340, 220, 78)}
_LEFT, _TOP, _BOTTOM, _RIGHT = 52, 10, 24, 4


def grouped(calendar: Calendar, rows: Sequence[tuple[str, str, int]]) -> dict[str, dict[date, int]]:
    """Return ``rows`` of day, series and number by series and period.

    The largest series come first; what is beyond ``MOST_SERIES`` is ``OTHERS``.
    """
    totals: dict[str, int] = {}
    for _, series, number in rows:
        totals[series] = totals.get(series, 0) + number
    ranked = sorted(totals, key=lambda series: (-totals[series], series))
    kept = ranked[:MOST_SERIES]
    found: dict[str, dict[date, int]] = {series: {} for series in kept}
    if len(ranked) > len(kept):
        found[OTHERS] = {}
    for day, series, number in rows:
        values = found[series if series in kept else OTHERS]
        start = calendar.period_of(day)
        values[start] = values.get(start, 0) + number
    return found


def drawings(plot: Plot) -> list[ET.Element]:
    """Return the plot for a wide and for a narrow screen; the style shows one of them."""
    return [_drawing(plot, name, size) for name, size in _SIZES.items()]


def legend(plot: Plot) -> ET.Element | None:
    if len(plot.series) < 2:  # noqa: PLR2004 - the title says what the only one is
        return None
    return element(
        "ul",
        {"class": "legend", "aria-hidden": "true"},
        *(
            element("li", None, _swatch(plot.colour(series)), element("span", None, series))
            for series in plot.series
        ),
    )


def meter(share: float) -> ET.Element:
    """Return a small bar for a row of a table."""
    return element(
        "svg",
        {"class": "meter", "viewBox": "0 0 100 8", "preserveAspectRatio": "none",
         "aria-hidden": "true"},
        element("rect", {"class": "track", "width": 100, "height": 8}),
        element("rect", {"class": "c1", "width": f"{max(0.0, min(1.0, share)) * 100:.1f}",
                         "height": 8}),
    )  # fmt: skip


def nice_top(most: int) -> int:
    """Return the end of a scale from 0 with four even steps.

    >>> nice_top(263_000_000), nice_top(7), nice_top(0)
    (300000000, 8, 4)
    """
    if most <= 4:  # noqa: PLR2004
        return 4
    step = most / 4
    power = math.pow(10, math.floor(math.log10(step)))
    nice = next(factor for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if factor * power >= step)
    return math.ceil(nice * power) * 4


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things are in a drawing."""

    size: _Size
    top: int
    slot: float

    @classmethod
    def of(cls, plot: Plot, size: _Size) -> _Frame:
        starts = plot.calendar.starts
        top = nice_top(max(map(plot.total, starts), default=0))
        return cls(size, top, (size.width - _LEFT - _RIGHT) / max(1, len(starts)))

    def y(self, number: int) -> float:
        bottom = self.size.height - _BOTTOM
        return bottom - number * (bottom - _TOP) / self.top

    def left(self, index: int) -> float:
        return _LEFT + index * self.slot


def _drawing(plot: Plot, name: str, size: _Size) -> ET.Element:
    title = f"{plot.name}-{name}-title"
    frame = _Frame.of(plot, size)
    return element(
        "svg",
        {"class": f"plot {name}", "viewBox": f"0 0 {size.width} {size.height}", "role": "img",
         "aria-labelledby": title},
        element("title", {"id": title}, plot.title),
        *_scale(plot, frame),
        *(_pile(plot, frame, index) for index in range(len(plot.calendar.starts))),
        *_dates(plot, frame),
    )  # fmt: skip


def _scale(plot: Plot, frame: _Frame) -> Iterator[ET.Element]:
    for number in range(0, frame.top + 1, frame.top // 4):
        y = f"{frame.y(number):.1f}"
        yield element(
            "line", {"class": "grid", "x1": _LEFT, "x2": frame.size.width, "y1": y, "y2": y}
        )
        yield element(
            "text", {"x": _LEFT - 6, "y": y, "dy": "0.32em", "text-anchor": "end"},
            _round(plot.figure(number)),
        )  # fmt: skip


def _dates(plot: Plot, frame: _Frame) -> Iterator[ET.Element]:
    every = math.ceil(frame.size.label_room / frame.slot)
    for index, start in enumerate(plot.calendar.starts):
        middle = frame.left(index) + frame.slot / 2
        if index % every == 0 and middle + frame.size.label_room / 2 < frame.size.width:
            yield element(
                "text",
                {"x": f"{middle:.1f}", "y": frame.size.height - 6, "text-anchor": "middle"},
                _short_label(plot, start),
            )


def _pile(plot: Plot, frame: _Frame, index: int) -> ET.Element:
    start = plot.calendar.starts[index]
    width = min(frame.slot - min(2.0, frame.slot * 0.2), 36.0)
    x = f"{frame.left(index) + (frame.slot - width) / 2:.2f}"
    said = [f"{plot.label(start)}: {plot.figure(plot.total(start))}"]
    bars = []
    so_far = 0
    for series, values in plot.series.items():
        number = values.get(start, 0)
        if number <= 0:
            continue
        height = frame.y(so_far) - frame.y(so_far + number)
        so_far += number
        bars.append(
            element("rect", {"class": plot.colour(series), "x": x, "y": f"{frame.y(so_far):.2f}",
                             "width": f"{width:.2f}", "height": f"{height:.2f}"})
        )  # fmt: skip
        if len(plot.series) > 1:
            said.append(f"{series} {plot.figure(number)}")
    return element("g", {"class": "pile"}, element("title", None, ", ".join(said)), *bars)


def _round(figure: str) -> str:
    """Return ``5.00 M`` as ``5 M``: the numbers of a scale are round."""
    number, _, unit = figure.partition(" ")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {unit}".strip()


def _short_label(plot: Plot, start: date) -> str:
    return f"{start:%Y-%m}" if plot.calendar.unit == "month" else f"{start:%b} {start.day}"


def _swatch(colour: str) -> ET.Element:
    return element(
        "svg",
        {"class": "swatch", "viewBox": "0 0 10 10"},
        element("rect", {"class": colour, "width": 10, "height": 10, "rx": 2}),
    )
