"""Imports from the first to the one that has nothing to do (contract §8, import §8 and §10)."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from hypactors.errors import ImportRunError
from hypactors.importing import _engine, _frames, _workers
from hypactors.lake import Lake, cache_id
from hypactors.providers import Finding, Window
from tests.importing.notebook import Desk, counters, entry, since_days

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Crashed(BaseException):
    """What ends an import at once, as a signal does: no ``except Exception`` takes it."""


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine, "COMMIT_ROWS", 4)
    monkeypatch.setattr(_frames, "FRAME_ROWS", 2)


def run(desk: Desk, window: Window | None = None) -> tuple[int, int, int]:
    return counters(desk.run(window))


# --- only what changed --------------------------------------------------------------------------


def test_a_second_import_opens_nothing_and_counts_the_same_sessions(desk: Desk) -> None:
    """import §10: a clean one again has seen as many items, and all of them are skipped."""
    desk.write("a", entry("1", session="x"), entry("2", session="y"))
    desk.write("b", entry("3"))
    assert run(desk) == (3, 3, 3)
    assert desk.opened == ["a", "b"]
    for _ in range(2):
        assert run(desk) == (3, 0, 0)
        assert desk.opened == []
    assert desk.stored() == ["1", "2", "3"]


def test_only_what_changed_is_opened(desk: Desk) -> None:
    for name in "abcd":
        desk.write(name, entry(name))
    run(desk)
    desk.append("b", entry("b2", session="new"))
    desk.write("c", entry("c2"))
    desk.write("e", entry("e"))
    (desk.folder / "d.notes").unlink()
    assert run(desk) == (5, 3, 3)
    assert desk.opened == ["b", "c", "e"]
    assert desk.stored() == ["a", "b", "b2", "c", "c2", "d", "e"]


def test_of_a_grown_file_only_the_new_is_written(desk: Desk) -> None:
    """Import 44."""
    desk.write("a", entry("1"), entry("2"))
    run(desk)
    desk.append("a", entry("3"))
    assert run(desk) == (1, 1, 1)
    assert desk.stored() == ["1", "2", "3"]


def test_a_torn_last_line_is_taken_when_it_is_whole(desk: Desk) -> None:
    torn = entry("2")
    desk.write("a", entry("1"), torn[:9])
    assert run(desk) == (1, 1, 1)
    assert desk.findings.count(Finding.UNPARSEABLE_LINE) == 1
    desk.append("a", torn[9:])
    assert run(desk) == (1, 1, 1)
    assert desk.stored() == ["1", "2"]


def test_a_rewritten_file_keeps_what_it_no_longer_has(desk: Desk) -> None:
    """A compaction takes lines out of a transcript; what was imported stays."""
    desk.write("a", entry("1"), entry("2"))
    run(desk)
    desk.write("a", entry("summary"), entry("2"))
    assert run(desk) == (1, 1, 1)
    assert desk.stored() == ["1", "2", "summary"]


def test_a_resumed_session_brings_only_what_is_its_own(desk: Desk) -> None:
    """Resuming copies the lines of before, with their ids, into another file."""
    before = [entry("1"), entry("2")]
    desk.write("a", *before)
    desk.write("b", *before, entry("3"))
    assert run(desk) == (2, 2, 3)
    desk.write("c", *before, entry("3"))
    assert run(desk) == (3, 0, 0)
    assert desk.stored() == ["1", "2", "3"]


def test_a_file_that_could_not_be_read_whole_is_read_again(desk: Desk) -> None:
    desk.write("a", entry("1"), entry("2", deed="fail"))
    for _ in range(2):
        run(desk)
        assert desk.opened == ["a"]
        assert desk.findings.count(Finding.UNREADABLE_FILE) == 1


def test_a_cache_that_is_gone_is_filled_again(desk: Desk) -> None:
    desk.write("a", entry("1"))
    first = desk.run().cache_id
    assert first == cache_id(Lake.of(desk.home))
    checkpoints = desk.home.checkpoint_dir.rename(desk.home.state_root / "kept")
    shutil.rmtree(desk.home.lake_dir)
    desk.home.lake_dir.mkdir()
    checkpoints.rename(desk.home.checkpoint_dir)
    second = desk.run()
    assert counters(second) == (1, 1, 1)
    assert second.cache_id == cache_id(Lake.of(desk.home)) != first


def test_a_cache_that_was_made_anew_meanwhile_is_no_success(desk: Desk) -> None:
    """Else the files that were skipped would be in the old one alone, and the marker say done."""
    desk.write("a", entry("1"))
    run(desk)
    desk.write("b", entry("2"))
    engine = desk.engine()
    desk.folder.joinpath("c.notes").symlink_to("b.notes")  # read by nobody
    open_writer = engine._open_writer

    def overtaken() -> object:
        shutil.rmtree(Lake.of(desk.home).warehouse_dir)
        Lake.of(desk.home).catalog_file.unlink()
        return open_writer()

    engine._open_writer = overtaken  # type: ignore[method-assign, assignment]
    with pytest.raises(ImportRunError, match="made anew"):
        engine.run(in_worker=lambda: None)
    assert run(desk)[2] == 2
    assert desk.stored() == ["1", "2"]


def test_without_files_nothing_is_made(desk: Desk) -> None:
    assert run(desk) == (0, 0, 0)
    assert not desk.home.lake_dir.exists()


# --- windows ------------------------------------------------------------------------------------


def test_a_window_that_grew_is_opened_and_one_that_did_not_is_not(desk: Desk) -> None:
    desk.write("a", entry("new", days=1), entry("old", days=40))
    assert run(desk, since_days(30)) == (1, 1, 1)
    assert run(desk, since_days(20)) == (1, 0, 0)
    assert desk.opened == []
    assert run(desk, since_days(60)) == (1, 1, 1)
    assert run(desk, since_days(30)) == (1, 0, 0)
    assert desk.opened == []


def test_a_slice_brings_what_is_missing_and_no_more(desk: Desk) -> None:
    desk.write("a", entry("new", days=1), entry("old", days=40))
    run(desk, since_days(30))
    assert run(desk, since_days(60, until=30)) == (1, 1, 1)
    assert desk.stored() == ["new", "old"]
    assert run(desk, since_days(60)) == (1, 0, 0)


# --- interrupted --------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_an_interrupted_import_goes_on_where_it_was(desk: Desk, commits: int) -> None:
    for name in "abcdef":
        desk.write(name, *(entry(f"{name}{number}") for number in range(3)))
    left = iter(range(commits))

    @contextlib.contextmanager
    def shield() -> Iterator[None]:
        if next(left, None) is None:
            raise Crashed
        yield

    desk.shield = shield
    with pytest.raises(Crashed):
        desk.run()
    assert len(desk.stored()) == 4 * commits
    desk.shield = contextlib.nullcontext
    assert run(desk) == (6, 6 - 4 * commits // 3, 18 - 4 * commits)
    assert desk.opened == [*"abcdef"][commits:], "the next was in that commit in part"
    assert len(desk.stored()) == 18


@pytest.mark.usefixtures("small_batches")
def test_a_crash_between_commit_and_checkpoint_doubles_nothing(desk: Desk) -> None:
    """contract §8: it costs that the files are read again."""
    for name in "abcd":
        desk.write(name, *(entry(f"{name}{number}") for number in range(2)))

    def crash(event: str) -> None:
        if event == "batch_committed":
            raise Crashed

    desk.on_event = crash
    with pytest.raises(Crashed):
        desk.run()
    assert len(desk.stored()) == 4
    desk.on_event = lambda _event: None
    assert run(desk) == (4, 2, 4)
    assert desk.opened == [*"abcd"]
    assert len(desk.stored()) == 8


@pytest.mark.usefixtures("small_batches")
def test_a_session_over_several_commits_counts_once(desk: Desk) -> None:
    desk.write("a", *(entry(f"a{number}") for number in range(11)))
    desk.write("b", *(entry(f"b{number}", session="t") for number in range(3)))
    assert run(desk) == (2, 2, 14)
    commits = [fields for event, fields in desk.events if event == "batch_committed"]
    assert [fields["rows"] for fields in commits] == [4, 4, 4, 2]
    assert [fields["rows_total"] for fields in commits] == [4, 8, 12, 14]


def test_sessions_of_different_pieces_of_work_are_told_apart(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_workers, "_TASK_BYTES", 1)
    for name in "abcde":
        desk.write(name, entry(name))
    assert run(desk) == (5, 5, 5)


def test_what_came_before_a_failure_is_in(desk: Desk) -> None:
    """One file that its provider stumbles over must not keep the others out for ever."""
    desk.write("a", entry("1"))
    desk.write("b", entry("2"), entry("bad", deed="raise"), entry("3"))
    desk.write("c", entry("4"))
    for expected, opened in (((2, 2, 2), ["a", "b"]), ((1, 0, 0), ["b"])):
        engine = desk.engine()
        with pytest.raises(RuntimeError, match="bad"):
            engine.run(in_worker=lambda: None)
        assert desk.opened == opened
        assert counters(engine.imported) == expected
    assert desk.stored() == ["1", "2"]
    desk.write("b", entry("2"), entry("3"))
    run(desk)
    assert desk.stored() == ["1", "2", "3", "4"]


def test_what_was_found_before_a_failure_is_told(desk: Desk) -> None:
    desk.write("a", "torn\n", entry("bad", deed="raise"))
    with pytest.raises(RuntimeError):
        desk.run()
    assert desk.findings.count(Finding.UNPARSEABLE_LINE) == 1


# --- what stays out -----------------------------------------------------------------------------


def test_an_ignored_folder_comes_in_when_it_is_ignored_no_more(desk: Desk, tmp_path: Path) -> None:
    """Import 27: nothing of it is written, nor counted; and its file is not opened until then."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / ".hypignore").write_text("ignore\n")
    desk.write("a", entry("1"), entry("2", session="t", cwd=str(secret)))
    desk.write("b", entry("3"))
    assert run(desk) == (2, 2, 2)
    assert ("session_ignored", {"level": "info", "provider": "notebook", "session_id": "t"}) in (
        desk.events
    )
    assert run(desk) == (2, 0, 0)
    assert desk.opened == []
    (secret / ".hypignore").write_text("local-only\n")
    assert run(desk) == (3, 1, 1)
    assert desk.opened == ["a"]
    assert desk.stored() == ["1", "2", "3"]
    assert run(desk) == (3, 0, 0)
    assert desk.opened == []


def test_what_stays_on_this_machine_is_imported(desk: Desk, tmp_path: Path) -> None:
    """import §11: it is withheld where rows are sent, and nowhere else."""
    (tmp_path / ".hypignore").write_text("local-only\n")
    desk.write("a", entry("1", cwd=str(tmp_path)))
    assert run(desk) == (1, 1, 1)


def test_an_odd_hypignore_is_told_in_the_log(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / ".hypignore").write_text("whatever\n")
    desk.write("a", entry("1", cwd=str(tmp_path)))
    assert run(desk) == (0, 0, 0)
    [odd] = [fields for event, fields in desk.events if event == "hypignore_not_understood"]
    assert odd["level"] == "warning"
    assert odd["path"] == str(tmp_path / ".hypignore")


def test_what_needs_a_plugin_comes_with_it(desk: Desk) -> None:
    desk.write("a", entry("1"), entry("2", session="t", needs="@a/b"))
    assert run(desk) == (1, 1, 1)
    assert counters(desk.run(is_configured="@a/b".__eq__)) == (2, 1, 1)
    assert counters(desk.run(is_configured="@a/b".__eq__)) == (2, 0, 0)
    assert desk.opened == []


def test_a_dry_run_counts_and_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    """Import 9."""
    (tmp_path / ".hypignore").touch()
    desk.write("a", entry("1"), entry("2", session="t"), "torn")
    desk.write("b", entry("3", cwd=str(tmp_path)))
    engine = desk.engine()
    engine.count()
    assert counters(engine.imported) == (2, 2, 0)
    assert engine.imported.files == 2
    assert desk.findings.count(Finding.UNPARSEABLE_LINE) == 1
    assert not desk.home.root.exists()


# --- with workers -------------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.usefixtures("small_batches")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("count", [0, 1, 2])
def test_workers_change_nothing_of_what_comes_out(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(_workers, "_TASK_BYTES", 300)
    monkeypatch.setattr(_engine, "worker_count", lambda *_: count)
    (tmp_path / ".hypignore").touch()
    for name in "abcdef":
        desk.write(
            name,
            *(entry(f"{name}{number}", session=str(number % 2)) for number in range(5)),
            entry("same in all", session="2"),
            entry(f"{name}hidden", session="3", cwd=str(tmp_path)),
        )
    desk.write("g", "torn")
    assert run(desk) == (18, 13, 31)
    assert [count == 0] == [bool(desk.opened)]
    assert desk.findings.count(Finding.UNPARSEABLE_LINE) == 1
    assert len([event for event, _ in desk.events if event == "session_ignored"]) == 6
    assert run(desk) == (18, 0, 0)
    assert desk.shown[-1].files_done == desk.shown[-1].files_total == 7
    assert os.path.getsize(desk.home.checkpoint_file("notebook")) > 0  # noqa: PTH202
