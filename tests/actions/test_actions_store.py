"""The marker file on disk, and the two who edit it outside a pass."""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hypactors.actions import (
    Marker,
    MarkerBook,
    clear_marker,
    read_markers,
    rearm_refusal,
    save_markers,
    set_aside,
)

if TYPE_CHECKING:
    from hypactors.paths import HypHome

NOW = datetime(2026, 6, 25, 1, 2, 3, 45_000, tzinfo=UTC)
BOOK = (
    MarkerBook()
    .with_marker("attach", "claude", Marker({"status": "refused"}))
    .with_marker("attach", "codex", Marker({"status": "done"}))
    .with_marker("backfill", "@hypaware/claude", Marker({"status": "done"}))
)


def damage(home: HypHome, content: str = "{nonsense") -> None:
    home.control_dir.mkdir(parents=True)
    home.marker_file.write_text(content)
    home.marker_file.chmod(0o644)


def names(home: HypHome) -> list[str]:
    return sorted(path.name for path in home.control_dir.iterdir())


def test_what_is_saved_is_read_back(home: HypHome) -> None:
    save_markers(home, BOOK)
    assert read_markers(home) == MarkerBook.load(BOOK.encode())
    assert read_markers(home).book == BOOK


def test_a_file_that_cannot_be_read_is_empty_with_a_problem(home: HypHome) -> None:
    """client-actions §3. A folder of that name stands for any error: root may read every file."""
    home.marker_file.mkdir(parents=True)
    loaded = read_markers(home)
    assert loaded.book == MarkerBook()
    (problem,) = loaded.problems
    assert str(home.marker_file) in problem


def test_a_damaged_file_is_kept_until_a_good_one_replaces_it(home: HypHome) -> None:
    damage(home)
    aside = set_aside(home, NOW)
    assert aside is not None
    assert aside.name == "client-actions.json.corrupt-20260625T010203045Z"
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert home.marker_file.read_text() == "{nonsense"
    save_markers(home, BOOK)
    assert aside.read_text() == "{nonsense"
    assert read_markers(home).book == BOOK


def test_what_was_set_aside_is_never_overwritten(home: HypHome) -> None:
    damage(home, "first")
    first = set_aside(home, NOW)
    save_markers(home, BOOK)
    home.marker_file.write_text("second")
    second = set_aside(home, NOW)
    assert first is not None
    assert second is not None
    assert (first.read_text(), second.read_text()) == ("first", "second")


def test_a_folder_in_the_place_of_the_file_is_moved_away(home: HypHome) -> None:
    home.marker_file.mkdir(parents=True)
    aside = set_aside(home, NOW)
    assert aside is not None
    assert aside.is_dir()
    save_markers(home, BOOK)
    assert read_markers(home).book == BOOK


def test_a_file_system_without_links_moves_the_file(
    home: HypHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    damage(home)
    monkeypatch.setattr(os, "link", refuse)
    aside = set_aside(home, NOW)
    assert names(home) == ["client-actions.json.corrupt-20260625T010203045Z"]
    assert aside is not None
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600


def test_nothing_is_set_aside_when_there_is_no_file(home: HypHome) -> None:
    assert set_aside(home, NOW) is None
    home.control_dir.mkdir(parents=True)
    assert set_aside(home, NOW) is None
    assert names(home) == []


def test_clearing_what_is_not_there_writes_nothing(home: HypHome) -> None:
    """client-actions C25."""
    assert not clear_marker(home, "attach", "claude", now=NOW)
    assert not home.root.exists()
    save_markers(home, BOOK)
    before = home.marker_file.stat().st_ino
    assert not clear_marker(home, "other", "claude", now=NOW)
    assert not clear_marker(home, "attach", "other", now=NOW)
    assert home.marker_file.stat().st_ino == before


def test_clearing_a_marker_leaves_its_siblings(home: HypHome) -> None:
    """client-actions C25."""
    save_markers(home, BOOK)
    assert clear_marker(home, "backfill", "@hypaware/claude", now=NOW)
    assert list(read_markers(home).book.as_mapping()) == ["attach"]
    assert clear_marker(home, "attach", "claude", now=NOW)
    assert read_markers(home).book.as_mapping() == {"attach": {"codex": {"status": "done"}}}


def test_rearming_writes_only_when_it_changes_something(home: HypHome) -> None:
    """client-actions C24."""
    assert not rearm_refusal(home, "attach", "claude", now=NOW)
    assert not home.root.exists()
    save_markers(home, BOOK)
    before = home.marker_file.stat().st_ino
    assert not rearm_refusal(home, "attach", "codex", now=NOW)
    assert home.marker_file.stat().st_ino == before
    assert rearm_refusal(home, "attach", "claude", now=NOW)
    assert read_markers(home).book.get("attach", "claude") is None
    assert read_markers(home).book.get("attach", "codex") is not None


def test_an_editor_sets_a_damaged_file_aside_before_it_writes(home: HypHome) -> None:
    damage(home, '{"attach": {"claude": {"status": "done"}, "codex": 7}}')
    assert clear_marker(home, "attach", "claude", now=NOW)
    assert home.marker_file.read_bytes() == b"{}\n"
    assert names(home) == [
        "client-actions.json",
        "client-actions.json.corrupt-20260625T010203045Z",
    ]


def test_a_failed_save_leaves_the_old_file(home: HypHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self), None, str(target))

    save_markers(home, BOOK)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        save_markers(home, MarkerBook())
    assert read_markers(home).book == BOOK
    assert names(home) == ["client-actions.json"]
