from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from hypactors.files import (
    Disk,
    ensure_private_dir,
    read_if_present,
    remove_leftovers,
    write_atomic,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_whole_and_owner_only(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.write_bytes(b"old")
    target.chmod(0o644)
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_strict_umask_or_a_lax_one_changes_nothing(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_atomic(tmp_path / "a", b"x")
        ensure_private_dir(tmp_path / "private" / "deep")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    for folder in ("private/deep", "private"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    target = tmp_path / "state.json"
    target.write_bytes(b"old")

    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_the_bytes_are_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        calls.append("fsync folder" if is_folder else "fsync file")
        real_fsync(descriptor)

    def replace(source: Path, target: Path) -> None:
        calls.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_atomic(tmp_path / "a", b"x")
    assert calls == ["fsync file", "rename", "fsync folder"]


def test_a_folder_that_was_open_to_others_is_tightened(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    ensure_private_dir(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_missing_file_is_none_and_an_unreadable_one_an_error(tmp_path: Path) -> None:
    assert read_if_present(tmp_path / "nothing") is None
    with pytest.raises(IsADirectoryError):
        read_if_present(tmp_path)


def test_what_a_killed_write_has_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    class Killed(Disk):
        def replace(self, source: Path, target: Path) -> None:  # noqa: ARG002 - it never gets there
            raise KeyboardInterrupt

        def unlink(self, path: Path) -> None:
            """Nobody cleans up behind a killed process."""

    for name in ("markers.json", "state.json"):
        with pytest.raises(KeyboardInterrupt):
            write_atomic(tmp_path / name, b"x", files=Killed())
    (tmp_path / "markers.json").write_text("kept")
    (tmp_path / "notes.tmp").write_text("somebody else's")
    remove_leftovers(tmp_path, "markers.json")
    assert len(list(tmp_path.glob("state.json.*.tmp"))) == 1
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["markers.json", "notes.tmp"]
    remove_leftovers(tmp_path / "nowhere")
