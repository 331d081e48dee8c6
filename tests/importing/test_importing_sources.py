"""What a file is known by: that it changed is told without reading it whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import pytest

from hypactors.importing._sources import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 20_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"a" * SIZE)
    return path


def overwrite(path: Path, offset: int) -> None:
    """Change one byte, and let no clock tell of it."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"b")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_that_did_not_change_is_the_same(path: Path) -> None:
    first = fingerprint(path)
    assert first is not None
    assert first == fingerprint(path)
    assert first.size == SIZE


@pytest.mark.parametrize("offset", [0, 4095, SIZE - 4096, SIZE - 1])
def test_another_head_or_tail_is_another_file(path: Path, offset: int) -> None:
    """Also when size and time are the same."""
    before = fingerprint(path)
    overwrite(path, offset)
    assert fingerprint(path) != before


def test_another_time_or_size_is_another_file(path: Path) -> None:
    before = fingerprint(path)
    os.utime(path, ns=(0, 1))
    later = fingerprint(path)
    assert later != before
    os.truncate(path, SIZE - 1)
    os.utime(path, ns=(0, 1))
    assert fingerprint(path) != later


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 8191])
def test_a_file_of_any_size_has_both_ends(path: Path, size: int) -> None:
    path.write_bytes(b"a" * size)
    before = fingerprint(path)
    assert before is not None
    if size:
        overwrite(path, size - 1)
        after = fingerprint(path)
        assert after is not None
        assert after.tail != before.tail


def test_a_pipe_is_none_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jsonl")
    assert fingerprint(tmp_path / "x.jsonl") is None


def test_a_link_is_none_even_to_a_file(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    assert fingerprint(link) is None
    loop = tmp_path / "loop.jsonl"
    loop.symlink_to(loop)
    assert fingerprint(loop) is None


def test_a_folder_is_none(tmp_path: Path) -> None:
    assert fingerprint(tmp_path) is None


def test_a_file_that_vanished_is_none(path: Path) -> None:
    path.unlink()
    assert fingerprint(path) is None


def test_a_file_that_cannot_be_read_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise OSError

    monkeypatch.setattr(os, "pread", refuse)
    before = psutil.Process().num_fds()
    assert fingerprint(path) is None
    assert psutil.Process().num_fds() == before
