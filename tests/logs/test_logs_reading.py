"""Logs are merged by time, filtered, and read from their ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.logs import LogFiles, Wanted, newest, parse_level, parse_line, parse_since, render
from hypactors.logs import _files as files_module
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def entry(second: int, event: str = "tick", level: str = "info", **fields: Any) -> bytes:
    ts = f"2026-11-25T10:{second // 60:02d}:{second % 60:02d}.000Z"
    return json.dumps({"ts": ts, "level": level, "event": event, **fields}).encode() + b"\n"


def written(path: Path, *lines: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))


def events(home: HypHome, wanted: Wanted | None = None, most: int | None = None) -> list[str]:
    streams = LogFiles(home).streams()
    return [line.event for line in newest(streams, {}, wanted or Wanted(), most)]


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path)


def test_all_logs_of_a_home_are_one_by_time(home: HypHome) -> None:
    written(home.log_file, entry(5, "e"), entry(7, "g"))
    written(home.log_file.with_name("daemon.log.1"), entry(2, "b"), entry(3, "c"))
    written(home.log_file.with_name("daemon.log.2"), entry(1, "a"))
    written(home.provider_runs("claude") / "run-1" / "log.jsonl", entry(4, "d"))
    written(home.sink_runs("central") / "run-2" / "log.jsonl", entry(6, "f"))
    written(home.maintenance_runs / "run-3" / "log.jsonl", entry(8, "h"))
    assert events(home) == list("abcdefgh")
    assert events(home, most=3) == list("fgh")
    assert events(home, Wanted(since="2026-11-25T10:00:04.000Z")) == list("defgh")


def test_a_home_without_logs_has_none(home: HypHome) -> None:
    assert events(home) == []


def test_what_is_no_line_of_ours_is_passed_over(home: HypHome) -> None:
    torn = entry(3, "torn")[:-12]
    written(
        home.log_file,
        b"\n\nno json\n[]\n1\n{}\n",
        b'{"ts": 1, "level": "info", "event": "x"}\n',
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        entry(1, "whole"),
        b"x" * (files_module._LONGEST_LINE + 10) + b"\n",
        entry(2, "last"),
        torn,
    )
    assert events(home) == ["whole", "last"]


def test_lines_longer_than_a_block_come_whole(home: HypHome) -> None:
    long = "x" * (3 * files_module._BLOCK_BYTES)
    written(home.log_file, entry(1, "a"), entry(2, "b", detail=long), entry(3, "c"))
    [_, middle, _] = newest(LogFiles(home).streams(), {}, Wanted(), None)
    assert middle.text("detail") == long


@settings(max_examples=40, derandomize=True, deadline=None)
@given(lengths=st.lists(st.integers(0, 40), max_size=30), block=st.integers(1, 50))
def test_a_file_is_read_backwards_as_forwards(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], block: int
) -> None:
    home = HypHome(tmp_path_factory.mktemp("home"))
    lines = [entry(number, "e", n=number, pad="x" * size) for number, size in enumerate(lengths)]
    written(home.log_file, *lines)
    usual, files_module._BLOCK_BYTES = files_module._BLOCK_BYTES, block
    try:
        found = newest(LogFiles(home).streams(), {}, Wanted(), None)
    finally:
        files_module._BLOCK_BYTES = usual
    assert [line.raw + b"\n" for line in found] == lines


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(least_level=30), "bc"),
        (Wanted(events=("client_action.*",)), "ac"),
        (Wanted(events=("x.y", "nothing")), "b"),
        (Wanted(actor="backfill"), "ab"),
        (Wanted(actor="backfill:codex"), "b"),
        (Wanted(actor="back"), ""),
        (Wanted(provider="claude"), "a"),
        (Wanted(run="r1"), "ac"),
        (Wanted(run="r1", passes=frozenset({"p2"})), "abc"),
        (Wanted(run="life"), "c"),
    ],
)
def test_only_what_is_wanted_is_shown(wanted: Wanted, expected: str, home: HypHome) -> None:
    written(
        home.log_file,
        entry(1, "client_action.a", actor="backfill:claude", provider="claude", run_id="r1"),
        entry(2, "x.y", "warning", actor="backfill:codex", pass_id="p2", of="b"),
        entry(3, "client_action.c", "error", run_id="r1", daemon_run_id="life"),
    )
    found = "".join(event[-1] for event in events(home, wanted))
    assert found.replace("y", "b") == expected


def test_durations_and_times_are_read() -> None:
    assert parse_since("1h", NOW) == "2026-11-25T11:00:00.000Z"
    assert parse_since("2d", NOW) == "2026-11-23T12:00:00.000Z"
    assert parse_since("2026-11-25T10:00:00+02:00", NOW) == "2026-11-25T08:00:00.000Z"
    for rubbish in ("", "h", "-1h", "1.5h", "yesterday", "1y", "9" * 30 + "d", "\u0661h"):
        with pytest.raises(ValueError, match="expects a duration"):
            parse_since(rubbish, NOW)


def test_levels_have_short_names_too() -> None:
    assert parse_level("warn") == parse_level("WARNING") == 30
    with pytest.raises(ValueError, match="one of debug, info"):
        parse_level("loud")


def test_a_line_can_do_nothing_to_a_terminal() -> None:
    raw = entry(1, "odd\x1b[2J", detail="\x1b]0;title\x07 \u202e", number=3, empty="")
    line = parse_line(raw.rstrip())
    assert line is not None
    text = render(line, lambda text, _style: text)
    assert text.isprintable()
    assert "\\x1b[2J" in text
    assert 'detail="\\x1b]0;title\\x07 \\u202e" number=3 empty=""' in text


def test_levels_are_styled_when_asked() -> None:
    line = parse_line(entry(1, "tick", "error").rstrip())
    assert line is not None
    assert "<red error  >" in render(line, lambda text, style: f"<{style} {text}>")
