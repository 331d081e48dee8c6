"""A report of any version, or of no version at all: it is shown as far as it goes."""

from __future__ import annotations

import copy
import itertools
import math
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hypactors.cli._metric_families import exposition
from hypactors.cli._standing import standing
from hypactors.cli.status import verdict
from hypactors.paths import HypHome
from hypactors.report._machine import machine_section
from hypactors.status import (
    LiveActor,
    LiveDaemon,
    LiveImport,
    LiveState,
    explain,
    render_text,
    rows_of,
)
from tests.status.conftest import CLAUDE, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]

CENTRAL = "@hypaware/central"
LONGEST_LINE = 2500
"""A line has a few texts in it, and each is clamped."""

HOSTILE = ["\x1b[31m\x9b2J\u202e\n\r", "\ud800", "x" * 5000, "9" * 5000, "done", "central"]
NUMBERS = [10**4299, -(10**4299), math.nan, math.inf, -0.0, True]


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([*HOSTILE, *NUMBERS]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def full_report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a real report in which every part has something to say."""
    machine = Machine(HypHome(tmp_path_factory.mktemp("home")))
    machine.take_golden("8-after-probation")
    codex = {"name": "@hypaware/codex", "config": {"backfill": {}}}
    sink = {"plugin": CENTRAL, "config": {"url": "http://127.0.0.1:9", "identity": {}}}
    machine.configure({"name": CENTRAL}, codex, {"name": "@hypaware/hermes"}, sinks={"c": sink})
    machine.home.usage_policy_dir.mkdir(parents=True)
    machine.home.local_only_file.write_text('{"version": 1, "dirs": ["/a"]}')
    machine.home.first_sync_hold_file.write_text('{"version": 1, "deadline_ms": 9e13}')
    at = "2026-06-25T08:00:00.000Z"
    failed = {"status": "failed", "reason": "r", "last_attempt": at, "attempts": 2}
    live = LiveState(
        daemon=LiveDaemon(4711, "r1", "actors", "degraded", at, ("a layer is broken",)),
        actors=[LiveActor("reconciler", "running", 1, "KeyError")],
        markers={
            "backfill": {"@x/a": {"status": "done", "rows": 7, "at": at}, "@x/b": failed},
            "attach": {"claude": {"status": "refused", "reason": "r", "at": at}},
        },
        running={
            CLAUDE.plugin: LiveImport(
                "claude", "r", 99, at,
                {"files_done": 1, "files_total": 2, "bytes_done": 5, "bytes_total": 10,
                 "rows_written": 3, "eta_s": 4},
            )
        },
        waiting={"@x/b": "its turn"},
        link={
            "sink": "c", "url": "u", "fleet": "f", "gateway_id": "g", "served_etag": "e",
            "polled_at": at, "succeeded_at": at, "failures": 2, "error": "no",
            "next_poll_at": at,
        },
    )  # fmt: skip
    return machine.report(CLAUDE, live=live)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where something is, from the whole down to each leaf."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def at(report: Any, path: Path) -> Any:
    for key in path:
        report = report[key]
    return report


def put(report: Any, path: Path, value: object) -> None:
    """Put a value where a path leads, or take away what is there for ``...``."""
    *way, last = path
    parent = at(report, tuple(way))
    if value is ...:
        del parent[last]
    else:
        parent[last] = value


def check(report: dict[str, Any]) -> None:
    """Let each that shows a report show it."""
    text = render_text(report)
    lines = text.split("\n")
    lines += standing(report)
    lines += [verdict(report)[1]]
    for row in rows_of(report, "client_actions"):
        lines += explain(row)
    assert [line for line in lines if not line.isprintable()] == []
    assert max(map(len, lines)) <= LONGEST_LINE
    coloured = render_text(report, lambda text, style: f"\x1b{style}\x1b{text}\x1b")
    assert re.sub(r"\x1b[a-z]+\x1b|\x1b", "", coloured) == text
    assert "hyp_up 1.0" in exposition({"report": report, "process": report.get("daemon")})
    assert ET.tostring(machine_section(report))


def test_the_report_that_is_changed_has_something_of_everything(
    full_report: dict[str, Any],
) -> None:
    never = {"sources", "client_attach", "client_sync", "recent_entrypoints", "maintenance"}
    never |= {"capture_health", "datasets", "recent_error_count", "proxy_trust"}
    empty = {key for key, value in full_report.items() if value in (None, [], {})}
    assert empty == never
    states = {row["state"] for row in full_report["client_actions"]}
    assert states >= {"done", "failed", "refused", "running"}
    check(full_report)


@pytest.mark.parametrize(
    "value",
    [*HOSTILE, *NUMBERS, deep(500), {"a": [1]}, None, ""],
    ids=lambda value: type(value).__name__,
)
def test_one_value_everywhere(full_report: dict[str, Any], value: Any) -> None:
    """status 27."""
    report = copy.deepcopy(full_report)
    for path in reversed([*places(report)]):
        is_leaf = next(itertools.islice(places(at(report, path)), 1, None), None) is None
        if path and is_leaf:
            put(report, path, value)
    check(report)


@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_value_anywhere_is_shown_as_far_as_it_goes(
    full_report: dict[str, Any], data: st.DataObject
) -> None:
    """status 27 and 29: nothing is taken for granted, and nothing gets at a terminal."""
    report = copy.deepcopy(full_report)
    for _ in range(data.draw(st.integers(1, 3))):
        known: Sequence[Path] = [path for path in places(report) if path]
        if known:
            put(report, data.draw(st.sampled_from(known)), data.draw(VALUES | st.just(...)))
    check(report)
