"""What is remembered of the table's files, and when it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypactors.lake import keep_plan, kept_plan

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plan_counts_for_its_own_metadata_only(tmp_path: Path) -> None:
    assert kept_plan(tmp_path, "m1") is None
    keep_plan(tmp_path, "m1", ["/a", "/b"])
    assert kept_plan(tmp_path, "m1") == ["/a", "/b"]
    assert kept_plan(tmp_path, "m2") is None
    keep_plan(tmp_path, "m2", [])
    assert kept_plan(tmp_path, "m2") == []


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b'{"metadata": "m1"}', b"\xff"])
def test_a_damaged_plan_is_none(tmp_path: Path, junk: bytes) -> None:
    keep_plan(tmp_path, "m1", ["/a"])
    [path] = tmp_path.iterdir()
    path.write_bytes(junk)
    assert kept_plan(tmp_path, "m1") is None
