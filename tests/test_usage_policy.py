"""What may become of history about a folder (import §11, central §4.3)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from hypactors.paths import HypHome
from hypactors.usage_policy import PolicyError, Usage, UsagePolicy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path / "hyp")


def policy(home: HypHome, *folders: str) -> UsagePolicy:
    home.usage_policy_dir.mkdir(parents=True, exist_ok=True)
    home.local_only_file.write_text(json.dumps({"version": 1, "dirs": folders}))
    return UsagePolicy.load(home)


@pytest.mark.parametrize(
    ("cwd", "stays"),
    [("/secret", True), ("/secret/deep", True), ("/secretive", False), ("/", False),
     ("/secret/../src", False), ("/src/../secret", True), (None, False), ("", False)],
)  # fmt: skip
def test_a_folder_on_the_list_and_all_below(home: HypHome, cwd: str | None, stays: bool) -> None:  # noqa: FBT001
    assert policy(home, "/secret").is_withheld(cwd) is stays


def test_both_spellings_of_a_linked_folder_count(home: HypHome, tmp_path: Path) -> None:
    """import §11."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    for listed in (real, link):
        for asked in (real, link):
            assert policy(home, str(listed)).is_withheld(str(asked)) is True


@pytest.mark.parametrize(
    ("text", "stays"),
    [("", True), ("# why\n", True), ("local-only\n", True), ("ignore", True), ("nonsense", True),
     ("full", False), ("full # all of it\n", False), ("full\nlocal-only", True)],
)  # fmt: skip
def test_a_hypignore_keeps_its_folder_here(
    home: HypHome,
    tmp_path: Path,
    text: str,
    stays: bool,  # noqa: FBT001
) -> None:
    """import §11: also one that was put there after the import."""
    (tmp_path / "repo" / "deep").mkdir(parents=True)
    (tmp_path / "repo" / ".hypignore").write_text(text)
    assert UsagePolicy.load(home).is_withheld(str(tmp_path / "repo" / "deep")) is stays
    assert not UsagePolicy.load(home).is_withheld(str(tmp_path))


@pytest.mark.parametrize("raw", [b"", b"{", b"7", b'{"dirs": 7}', b'["a", 7]', b"\xff"])
def test_a_list_that_cannot_be_read_lets_nothing_go(home: HypHome, raw: bytes) -> None:
    """central 25."""
    policy(home)
    home.local_only_file.write_bytes(raw)
    with pytest.raises(PolicyError, match=r"local-only\.json"):
        UsagePolicy.load(home)


def test_no_list_is_an_empty_one(home: HypHome) -> None:
    assert not UsagePolicy.load(home).is_withheld("/anywhere/at/all")


@pytest.mark.parametrize(
    ("text", "usage"),
    [("", Usage.IGNORE), ("# why\n", Usage.IGNORE), ("ignore", Usage.IGNORE),
     ("local-only\n", Usage.LOCAL_ONLY), ("full", Usage.FULL),
     ("full\nlocal-only", Usage.LOCAL_ONLY),
     ("nonsense", Usage.IGNORE), ("local-only\nignore", Usage.IGNORE)],
)  # fmt: skip
def test_the_words_of_a_hypignore(tmp_path: Path, text: str, usage: Usage) -> None:
    """import §11."""
    (tmp_path / ".hypignore").write_text(text)
    policy = UsagePolicy()
    assert policy.usage_of(str(tmp_path / "deep" / "er")) is usage
    assert [*policy.odd_files] == ([str(tmp_path / ".hypignore")] if text == "nonsense" else [])


def test_the_nearest_hypignore_counts(tmp_path: Path) -> None:
    """import §11."""
    (tmp_path / "inner").mkdir()
    (tmp_path / ".hypignore").write_text("ignore")
    (tmp_path / "inner" / ".hypignore").write_text("full")
    policy = UsagePolicy()
    assert policy.usage_of(str(tmp_path / "inner" / "deep")) is Usage.FULL
    assert policy.usage_of(str(tmp_path / "other")) is Usage.IGNORE


def test_the_list_is_stricter_than_a_full_hypignore(home: HypHome, tmp_path: Path) -> None:
    (tmp_path / ".hypignore").write_text("full")
    assert policy(home, str(tmp_path)).usage_of(str(tmp_path)) is Usage.LOCAL_ONLY


def test_a_hypignore_that_cannot_be_read_ignores(tmp_path: Path) -> None:
    (tmp_path / ".hypignore").mkdir()
    policy = UsagePolicy()
    assert policy.usage_of(str(tmp_path)) is Usage.IGNORE
    assert policy.odd_files == {str(tmp_path / ".hypignore"): os.strerror(21)}


@pytest.mark.parametrize("cwd", [None, "", "a\0b", "~nobody-here/src", "/" + "x" * 300])
def test_what_is_no_folder_is_full(cwd: str | None) -> None:
    """import §11: no folder, imported."""
    policy = UsagePolicy()
    assert policy.usage_of(cwd) is Usage.FULL
    assert policy.odd_files == {}
