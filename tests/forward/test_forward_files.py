"""Marks, holds, fleets, the outbox and the policy: what lies on disk, and what it comes to."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.clock import ManualClock
from hypactors.forward import (
    Fleets,
    ForeignRows,
    Mark,
    Marks,
    Outbox,
    SinkStatus,
    cache_stamp,
    drop_past_hold,
    read_first_sync_hold,
    read_sink_status,
    release_hold,
    write_first_sync_hold,
    write_sink_status,
)
from hypactors.forward._hold import end_of_hold
from hypactors.forward._outbox import KEPT_FAILURES
from hypactors.paths import HypHome, segment

if TYPE_CHECKING:
    from pathlib import Path

NOW = ManualClock().now()
FLEET = "https://h:443"
CACHE = "6f0e"


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path / "hyp")


def marks(home: HypHome, sink: str = "central", fleet: str = FLEET) -> Marks:
    return Marks(home, sink=sink, dataset="messages", fleet=fleet)


# Marks


def test_a_mark_is_read_as_it_was_written(home: HypHome) -> None:
    """central 27: the latest wins, nothing temporary stays, and the file is the specified one."""
    for seq in (3, 12_345_678_901):
        marks(home).write(CACHE, Mark(seq, rows=seq), NOW)
    assert marks(home).read(CACHE) == Mark(12_345_678_901, rows=12_345_678_901)
    path = marks(home).path(CACHE)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    fields = json.loads(path.read_bytes())
    assert fields["continuation"] == {"v": 1, "seq": "12345678901"}
    assert (fields["v"], fields["updatedAt"]) == (1, "2026-06-25T00:00:00.000Z")


def test_marks_are_of_one_sink_fleet_and_cache(home: HypHome) -> None:
    """central 26, contract §9."""
    marks(home).write(CACHE, Mark(3), NOW)
    others = [
        marks(home, sink="other").read(CACHE),
        marks(home, fleet="https://h:444").read(CACHE),
        Marks(home, sink="central", dataset="more", fleet=FLEET).read(CACHE),
        marks(home).read("another"),
    ]
    assert others == [None] * 4


def test_a_key_is_not_of_where_things_lie(tmp_path: Path) -> None:
    """central 26: the same below any home."""
    paths = [marks(HypHome(tmp_path / name)).path(CACHE) for name in ("a", "b")]
    assert paths[0].relative_to(tmp_path / "a") == paths[1].relative_to(tmp_path / "b")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a b", "ü", "\0", "", "https://h:443/x"])
def test_no_name_leaves_its_folder(name: str, home: HypHome) -> None:
    """central 26."""
    inside = segment(name)
    assert "/" not in inside
    assert inside.strip(".")
    assert home.sink_dir(name).parent == home.sinks_dir


@given(st.text(max_size=8), st.text(max_size=8))
def test_two_names_never_share_a_folder(one: str, two: str) -> None:
    assert (segment(one) == segment(two)) == (one == two)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"7", b"\xff", b"[" * 5000,
     b'{"v": 2, "continuation": {"v": 1, "seq": "3"}}',
     b'{"v": 1, "continuation": {"v": 1, "seq": 3}}', b'{"v": 1, "continuation": {"v": 1}}',
     b'{"v": 1, "continuation": {"v": 1, "seq": "-3"}}', b'{"v": 1, "continuation": "3"}',
     b'{"v": 1, "continuation": {"v": 1, "seq": "' + b"9" * 30 + b'"}}'],
)  # fmt: skip
def test_a_mark_that_cannot_be_read_is_none(home: HypHome, raw: bytes) -> None:
    """central 27: everything is sent again, which does no harm."""
    marks(home).write(CACHE, Mark(3), NOW)
    marks(home).path(CACHE).write_bytes(raw)
    assert marks(home).read(CACHE) is None


@pytest.mark.parametrize("seq", [-1, 10**30])
def test_an_impossible_mark_is_not_written(home: HypHome, seq: int) -> None:
    """central 27."""
    marks(home).write(CACHE, Mark(3), NOW)
    with pytest.raises(ValueError, match="no number"):
        marks(home).write(CACHE, Mark(seq), NOW)
    assert marks(home).read(CACHE) == Mark(3)


def test_a_mark_can_be_forgotten(home: HypHome) -> None:
    assert not marks(home).forget(CACHE)
    marks(home).write(CACHE, Mark(3), NOW)
    assert marks(home).forget(CACHE)
    assert marks(home).read(CACHE) is None


# The first day


@pytest.mark.parametrize("hour", [0, 12, 20, 23])
def test_a_hold_lasts_to_the_end_of_the_day(home: HypHome, hour: int) -> None:
    """contract §9: by the clock on the wall, wherever it hangs."""
    zone = timezone(timedelta(hours=-7))
    now = datetime(2026, 6, 25, hour, 30, tzinfo=zone)
    hold = write_first_sync_hold(home, now, pid=7)
    assert hold.until == datetime(2026, 6, 25, 23, 59, 59, tzinfo=zone)
    fields = json.loads(home.first_sync_hold_file.read_bytes())
    assert fields == {
        "version": 1,
        "created_at": f"2026-06-2{5 + (hour >= 17)}T{(hour + 7) % 24:02}:30:00.000Z",
        "deadline": "2026-06-26T06:59:59.000Z",
        "deadline_ms": int(hold.until.timestamp() * 1000),
        "pid": 7,
    }
    assert read_first_sync_hold(home, now) == read_first_sync_hold(home, now)
    found = read_first_sync_hold(home, hold.until - timedelta(seconds=1))
    assert found is not None
    assert found.until == hold.until


def test_a_day_that_is_longer_than_others() -> None:
    """central 28: by the wall, not by adding hours."""
    summer, winter = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
    assert end_of_hold(datetime(2026, 10, 25, 1, tzinfo=summer)).hour == 23
    assert end_of_hold(datetime(2026, 10, 25, 1, tzinfo=winter)).hour == 23


def test_a_past_hold_is_none_and_goes(home: HypHome) -> None:
    """central 28: at its deadline it is over; touching the file changes nothing."""
    hold = write_first_sync_hold(home, NOW, pid=7)
    os.utime(home.first_sync_hold_file, (1, 1))
    drop_past_hold(home, hold.until - timedelta(seconds=1))
    assert home.first_sync_hold_file.exists()
    assert read_first_sync_hold(home, hold.until) is None
    drop_past_hold(home, hold.until)
    assert not home.first_sync_hold_file.exists()
    assert not release_hold(home)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"version": 1}', b'{"version": 1, "deadline_ms": "9"}',
     b'{"version": 1, "deadline_ms": true}', b'{"version": 2, "deadline_ms": 99999999999999}',
     b'{"version": 1, "deadline_ms": 1e300}'],
)  # fmt: skip
def test_a_hold_that_cannot_be_read_is_none(home: HypHome, raw: bytes) -> None:
    """central 28."""
    write_first_sync_hold(home, NOW, pid=7)
    home.first_sync_hold_file.write_bytes(raw)
    assert read_first_sync_hold(home, NOW) is None


def test_a_hold_can_be_let_go(home: HypHome) -> None:
    write_first_sync_hold(home, NOW, pid=7)
    assert release_hold(home)
    assert read_first_sync_hold(home, NOW) is None


# Fleets


def test_rows_of_before_are_held_from_this_fleet_alone(home: HypHome) -> None:
    """contract §9."""
    fleets = Fleets(home)
    assert (fleets.last_joined(), fleets.held(FLEET, CACHE)) == (None, 0)
    fleets.joined("https://old:443", None, NOW)
    fleets.joined(FLEET, ForeignRows(FLEET, CACHE, 17), NOW)
    assert fleets.last_joined() == FLEET
    assert fleets.held(FLEET, CACHE) == 17
    assert fleets.held(FLEET, "another cache") == fleets.held("https://old:443", CACHE) == 0
    fleets.joined(FLEET, None, NOW)
    assert fleets.held(FLEET, CACHE) == 17, "joining again lets nothing go"
    assert fleets.release(FLEET, NOW)
    assert not fleets.release(FLEET, NOW)
    assert (fleets.held(FLEET, CACHE), fleets.last_joined()) == (0, FLEET)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"foreign_rows": [7, {"fleet": 1}]}'])
def test_fleets_that_cannot_be_read(home: HypHome, raw: bytes) -> None:
    Fleets(home).joined(FLEET, None, NOW)
    home.fleets_file.write_bytes(raw)
    assert (Fleets(home).last_joined(), Fleets(home).held(FLEET, CACHE)) == (None, 0)


# The outbox and the status


def test_notes_of_failures_are_few(home: HypHome) -> None:
    """central 29."""
    outbox = Outbox(home, "central")
    for number in range(KEPT_FAILURES + 5):
        outbox.note_failure(f"central-{number:03}", "no answer", ["messages"], NOW)
        path = outbox.path / f"central-{number:03}.json"
        os.utime(path, (number, number))
    kept = sorted(path.name for path in outbox.path.glob("*.json"))
    assert kept == [f"central-{number:03}.json" for number in range(5, KEPT_FAILURES + 5)]
    note = json.loads((outbox.path / kept[-1]).read_bytes())
    assert (note["sinkInstance"], note["error"]) == ("central", "no answer")
    assert note["partitions"] == ["messages"]
    assert outbox.path.stat().st_mode & 0o777 == 0o700


def test_the_status_is_read_as_it_was_written(home: HypHome) -> None:
    assert read_sink_status(home, "central") is None
    status = SinkStatus(fleet=FLEET, at="now", status="exported", rows=7)
    write_sink_status(home, "central", status)
    assert read_sink_status(home, "central") == status
    (home.sink_dir("central") / "status.json").write_bytes(b"{")
    assert read_sink_status(home, "central") is None


def test_the_stamp_changes_with_the_cache(home: HypHome) -> None:
    assert cache_stamp(home) is None
    home.lake_dir.mkdir(parents=True)
    (home.lake_dir / "catalog.db").write_bytes(b"1")
    first = cache_stamp(home)
    (home.lake_dir / "catalog.db").write_bytes(b"22")
    assert cache_stamp(home) not in {None, first}


def test_utc_is_a_zone_too() -> None:
    assert end_of_hold(datetime(2026, 1, 1, tzinfo=UTC)).isoformat() == "2026-01-01T23:59:59+00:00"
