"""How far an import is, and how often that is told (contract §5)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hypactors.clock import ManualClock
from hypactors.importing import Progress, ProgressFile
from hypactors.processes import ImportProgress
from tests.importing.notebook import Desk, entry

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MB = 1_000_000


class Watched:
    """Progress on a clock that a test moves, and what it told when."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told: list[ImportProgress] = []
        self.times: list[float] = []
        self.progress = Progress(self.clock, self._show)

    def _show(self, progress: ImportProgress) -> None:
        self.told.append(progress)
        self.times.append(self.clock.monotonic())


def test_the_beginning_and_the_end_are_always_told() -> None:
    watched = Watched()
    watched.progress.begin(3, 9 * MB, known_files=1, known_bytes=2 * MB)
    watched.progress.file_ended(4 * MB, task=0)
    watched.progress.file_ended(3 * MB, task=0)
    watched.progress.rows_written = 5
    watched.progress.end()
    first, last = watched.told
    assert first == ImportProgress(
        at="2026-06-25T00:00:00.000Z",
        phase="reading",
        files_done=1,
        files_total=3,
        bytes_done=2 * MB,
        bytes_total=9 * MB,
        rows_written=0,
        eta_s=None,
    )
    assert (last.phase, last.files_done, last.bytes_done, last.rows_written) == (
        "done",
        3,
        9 * MB,
        5,
    )


@given(st.lists(st.floats(0, 0.4), max_size=60))
def test_it_is_told_at_most_four_times_in_any_second(pauses: list[float]) -> None:
    watched = Watched()
    watched.progress.begin(100, 100 * MB, known_files=0, known_bytes=0)
    for pause in pauses:
        watched.clock.advance(pause)
        watched.progress.file_ended(MB, task=0)
        watched.progress.file_under_way(1, task=0)
    watched.progress.end()
    for time in watched.times:
        assert sum(time <= other < time + 1 for other in watched.times) <= 4


def test_it_is_told_often_enough_to_be_seen_moving() -> None:
    watched = Watched()
    watched.progress.begin(100, 100 * MB, known_files=0, known_bytes=0)
    for _ in range(100):
        watched.clock.advance(0.1)
        watched.progress.file_under_way(MB, task=0)
    assert len(watched.told) >= 20


def test_the_time_left_is_reckoned_from_what_was_read_and_not_from_what_was_known() -> None:
    watched = Watched()
    watched.progress.begin(10, 100 * MB, known_files=5, known_bytes=50 * MB)
    watched.clock.advance(10)
    watched.progress.file_ended(10 * MB, task=0)
    assert watched.told[-1].eta_s == 40
    watched.clock.advance(10)
    watched.progress.file_under_way(10 * MB, task=0)
    assert watched.told[-1].eta_s == 30


def test_the_first_second_says_nothing_of_the_time_left() -> None:
    watched = Watched()
    watched.progress.begin(10, 100 * MB, known_files=0, known_bytes=0)
    watched.clock.advance(0.9)
    watched.progress.file_ended(MB, task=0)
    assert watched.told[-1].eta_s is None


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.lists(st.integers(0, 9), max_size=3), st.floats(0, 3)),
    max_size=12,
)


@given(STEPS, st.integers(0, 4))
def test_it_never_goes_back_and_never_passes_the_end(
    files: list[tuple[int, list[int], float]], known: int
) -> None:
    """Rows may be more than their file, and a file larger by now than when all were counted."""
    watched = Watched()
    watched.progress.begin(
        len(files) + known,
        sum(size for size, _, _ in files) + known,
        known_files=known,
        known_bytes=known,
    )
    for task, (size, read, pause) in enumerate(files):
        for part in sorted(read):
            watched.clock.advance(pause)
            watched.progress.file_under_way(part, task=task)
        watched.progress.file_ended(size, task=task)
    watched.progress.end()
    done = [progress.bytes_done for progress in watched.told]
    assert done == sorted(done)
    assert all(0 <= each.bytes_done <= each.bytes_total for each in watched.told)
    assert all(each.eta_s is None or each.eta_s >= 0 for each in watched.told)
    last = watched.told[-1]
    assert (last.files_done, last.bytes_done) == (last.files_total, last.bytes_total)


def test_an_import_whose_rows_are_more_than_its_file_does_not_go_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is reckoned as some hundred bytes, whatever its line takes."""
    monkeypatch.setattr("hypactors.importing._frames.FRAME_ROWS", 2)
    for name in "abc":
        desk.write(name, *(entry(f"{name}{number}") for number in range(9)))
    monkeypatch.setattr("hypactors.importing._progress.LEAST_INTERVAL_S", 0)
    desk.run()
    done = [progress.bytes_done for progress in desk.shown]
    assert len(done) > 6
    assert done == sorted(done)
    assert [progress.files_done for progress in desk.shown][-1] == 3


def test_the_file_of_a_run_holds_what_was_told_last(tmp_path: Path) -> None:
    show = ProgressFile(tmp_path)
    told = ImportProgress(
        at="now", phase="reading", files_done=1, files_total=2, bytes_done=3, bytes_total=4,
        rows_written=5, eta_s=None,
    )  # fmt: skip
    show(msgspec.structs.replace(told, rows_written=1))
    show(told)
    path = tmp_path / "progress.json"
    assert msgspec.json.decode(path.read_bytes(), type=ImportProgress) == told
    assert os.listdir(tmp_path) == ["progress.json"]  # noqa: PTH208
    assert stat.S_ISREG(path.stat().st_mode)


def test_a_file_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    show = ProgressFile(tmp_path / "missing")
    show(
        ImportProgress(
            at="now", phase="done", files_done=0, files_total=0, bytes_done=0, bytes_total=0,
            rows_written=0, eta_s=None,
        )
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
