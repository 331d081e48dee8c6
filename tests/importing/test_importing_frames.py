"""Batches that are bounded whatever the files are, and what they say of the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypactors.importing import _frames
from hypactors.importing._frames import DIGEST, ITEM, Frame, Reader
from hypactors.importing._sources import fingerprint
from hypactors.providers import Finding, Findings, ScanContext, Window
from hypactors.usage_policy import UsagePolicy
from tests.importing.notebook import NOW_MS, Desk, entry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Reading:
    """A reader of a desk's notebooks, as a worker has one: nobody gives back what it found."""

    def __init__(self, desk: Desk, plugins: Sequence[str] = ()) -> None:
        self.findings = Findings()
        needed: set[str] = set()
        self.scan = desk.provider.scan(
            ScanContext(
                window=Window(),
                environ={},
                home=desk.home,
                is_configured=plugins.__contains__,
                findings=self.findings,
                needs_plugin=needed.add,
            )
        )
        self.reader = Reader(
            self.scan,
            is_left_out=UsagePolicy().is_ignored,
            findings=self.findings,
            needed_plugins=needed,
            now_ms=NOW_MS,
        )

    def frames(self) -> list[Frame]:
        return list(self.reader.frames(self.scan.sources))


def row_counts(frames: Sequence[Frame]) -> list[int]:
    return [0 if frame.rows is None else frame.rows.num_rows for frame in frames]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frames, "FRAME_ROWS", 4)


def test_a_frame_has_so_many_rows_and_no_more(desk: Desk) -> None:
    desk.write("a", *(entry(f"a{number}") for number in range(10)))
    frames = Reading(desk).frames()
    assert row_counts(frames) == [4, 4, 2]
    assert [frame.note.is_last for frame in frames] == [False, False, True]


def test_a_frame_is_bounded_by_bytes_as_well(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frames, "FRAME_BYTES", 100_000)
    long = "x" * 60_000
    desk.write("a", *(entry(f"a{number}", text=long) for number in range(5)))
    assert row_counts(Reading(desk).frames()) == [2, 2, 1]


def test_a_row_that_is_larger_than_a_frame_is_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_frames, "FRAME_BYTES", 1000)
    desk.write("a", *(entry(f"a{number}", text="x" * 5000) for number in range(3)))
    assert row_counts(Reading(desk).frames()) == [1, 1, 1, 0]


def test_small_files_share_a_frame(desk: Desk) -> None:
    for name in "abc":
        desk.write(name, entry(name))
    [frame] = Reading(desk).frames()
    assert frame.rows is not None
    assert frame.rows.column("message_id").to_pylist() == ["a", "b", "c"]
    assert [end.number for end in frame.note.ended] == [0, 1, 2]


def test_a_file_ends_in_the_frame_that_has_its_last_row(desk: Desk) -> None:
    """A checkpoint is saved with the commit of that frame, and not with one before it."""
    desk.write("a", *(entry(f"a{number}") for number in range(3)))
    desk.write("b", *(entry(f"b{number}") for number in range(6)))
    desk.write("c")
    frames = Reading(desk).frames()
    assert row_counts(frames) == [4, 4, 1]
    assert [[end.number for end in frame.note.ended] for frame in frames] == [[0], [], [1, 2]]
    last = frames[2].note.ended
    assert [end.sessions for end in last] == [1, 0]
    assert last[0].fingerprint == fingerprint(desk.folder / "b.notes")


def test_rows_say_of_which_session_they_are(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frames, "FRAME_ROWS", 9)
    desk.write("a", entry("1", session="x"), entry("2", session="y"), entry("3", session="x"))
    desk.write("b", entry("4", session="x"))
    [frame] = Reading(desk).frames()
    assert frame.rows is not None
    names = frame.rows.column("message_id").to_pylist()
    assert [*zip(names, frame.rows.column(ITEM).to_pylist(), strict=True)] == [
        ("1", 0),
        ("3", 0),
        ("2", 1),
        ("4", 2),
    ]
    assert len(set(frame.rows.column(DIGEST).to_pylist())) == 4


def test_what_was_read_of_a_file_is_reckoned_from_its_rows_and_never_more_than_it_is(
    desk: Desk,
) -> None:
    """Else an import of many small files would seem to be at its end at once."""
    desk.write("a", *(entry(f"a{number}") for number in range(3)))
    text = "x" * 2000
    path = desk.write("b", *(entry(f"b{number}", text=text) for number in range(40)))
    notes = [frame.note for frame in Reading(desk).frames()]
    first, *others, last = [note.bytes_read for note in notes]
    assert 2000 < first < 3000, "one row of it, and none of the file before"
    assert [first, *others] == sorted([first, *others])
    assert others[-1] == path.stat().st_size
    assert last == 0


def test_files_without_rows_come_to_an_end_too(desk: Desk) -> None:
    desk.write("a", "torn")
    [frame] = Reading(desk).frames()
    assert frame.rows is None
    assert frame.note.is_last
    assert [end.sessions for end in frame.note.ended] == [0]
    assert frame.note.findings.count(Finding.UNPARSEABLE_LINE) == 1


def test_an_ignored_session_leaves_no_row_and_the_reason(desk: Desk, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / ".hypignore").touch()
    desk.write(
        "a",
        entry("1", session="open"),
        entry("2", session="hidden", cwd=str(secret)),
        entry("3", session="deep", cwd=str(secret / "below")),
    )
    [frame] = Reading(desk).frames()
    assert frame.rows is not None
    assert frame.rows.column("message_id").to_pylist() == ["1"]
    assert frame.note.ignored == ("hidden", "deep")
    [end] = frame.note.ended
    assert end.sessions == 1
    assert end.withheld == (f"ignored:{secret}", f"ignored:{secret / 'below'}")


def test_what_a_plugin_would_add_is_the_reason_of_its_file_alone(desk: Desk) -> None:
    desk.write("a", entry("1", needs="@a/b"))
    desk.write("b", entry("2"))
    [frame] = Reading(desk).frames()
    assert [end.withheld for end in frame.note.ended] == [("plugin:@a/b",), ()]
    [frame] = Reading(desk, plugins=["@a/b"]).frames()
    assert [end.withheld for end in frame.note.ended] == [(), ()]


def test_a_file_that_grows_while_it_is_read_is_a_changed_one_afterwards(desk: Desk) -> None:
    path = desk.write("a", *(entry(f"a{number}") for number in range(6)))
    reading = Reading(desk)
    frames = reading.reader.frames(reading.scan.sources)
    next(frames)
    desk.append("a", entry("late"))
    [frame] = frames
    assert frame.note.ended[0].fingerprint != fingerprint(path)


def test_a_file_that_can_be_read_in_part_is_not_taken(desk: Desk) -> None:
    desk.write("a", entry("1"), entry("2", deed="fail"))
    desk.write("b", entry("3"))
    [frame] = Reading(desk).frames()
    assert frame.rows is not None
    assert frame.rows.column("message_id").to_pylist() == ["1", "3"]
    assert [end.fingerprint is None for end in frame.note.ended] == [True, False]


@pytest.mark.parametrize("before", [0, 1, 2])
def test_nor_is_it_when_frames_went_out_before_and_meanwhile(desk: Desk, before: int) -> None:
    """With each frame goes what was found so far; a file that fails later must still be noticed."""
    for number in range(before):
        desk.write(f"a{number}", entry("x", deed="fail"))
    desk.write("b", *(entry(f"b{number}") for number in range(6)), entry("y", deed="fail"))
    desk.write("c", entry("z"))
    frames = Reading(desk).frames()
    ends = [end for frame in frames for end in frame.note.ended]
    assert row_counts(frames) == [4, 3]
    assert [end.fingerprint is None for end in ends] == [*[True] * (before + 1), False]


def test_nor_one_of_which_the_failure_went_out_with_a_frame(desk: Desk) -> None:
    desk.write(
        "a",
        entry("1", session="x", deed="fail"),
        *(entry(f"a{number}", session="y") for number in range(6)),
    )
    ends = [end for frame in Reading(desk).frames() for end in frame.note.ended]
    assert [end.fingerprint for end in ends] == [None]


def test_sessions_are_counted_without_rows(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / ".hypignore").touch()
    path = desk.write("a", entry("1"), entry("2", session="t"))
    assert Reading(desk).reader.sessions(path) == 2
    path = desk.write("a", entry("1"), entry("2", session="t", cwd=str(tmp_path)))
    assert Reading(desk).reader.sessions(path) == 1
