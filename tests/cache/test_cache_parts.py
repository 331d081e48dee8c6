"""Which parts are known: 16 bytes a row, whoever wrote it (contract §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from hypactors.cache import MessageWriter, _parts
from hypactors.cache._catalog import open_for_reading
from hypactors.cache._parts import KnownParts
from hypactors.dataset.arrow import DIGEST_BYTES, digests_of
from hypactors.lake import Lake
from tests.cache.test_cache_writer import rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest
    from pyiceberg.table import Table

NAMES = st.lists(st.sampled_from("abcdefgh"), max_size=8)


def known(*batches: Sequence[str]) -> KnownParts:
    parts = KnownParts()
    parts._digests = [digests_of(batch) for batch in batches]
    return parts


@given(st.lists(NAMES, max_size=3), NAMES)
def test_new_is_what_is_in_no_batch_and_the_first_of_equals(
    before: list[list[str]], asked: list[str]
) -> None:
    """Import 44."""
    seen = {name for batch in before for name in batch}
    expected = []
    for index, name in enumerate(asked):
        if name not in seen:
            expected.append(index)
            seen.add(name)
    assert known(*before).new_among(digests_of(asked)).to_pylist() == expected


def test_a_row_takes_sixteen_bytes() -> None:
    digests = digests_of(f"part-{number}" for number in range(1000))
    assert digests.nbytes == 1000 * DIGEST_BYTES == 16_000
    assert isinstance(digests, pa.FixedSizeBinaryArray)


def opened(lake: Lake) -> Table:
    table = open_for_reading(lake)
    assert table is not None
    return table


def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read: list[str] = []
    digests_in = _parts._digests_in

    def record(table: Table, path: str) -> pa.Array:
        read.append(path)
        return digests_in(table, path)

    monkeypatch.setattr(_parts, "_digests_in", record)
    return read


def test_the_commit_of_another_is_taken_in_and_each_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path)
    read = files_read(monkeypatch)
    writer = MessageWriter(lake, run_id="r")
    writer.commit(rows("a"))
    parts = KnownParts()
    parts.refresh(opened(lake))
    assert len(read) == 1
    parts.refresh(opened(lake))
    assert len(read) == 1, "nothing has changed"
    writer.commit(rows("b"))
    parts.refresh(opened(lake))
    assert len(read) == len(set(read)) == 2
    assert parts.new_among(digests_of(["b#0", "c#0", "a#0"])).to_pylist() == [1]


def test_rows_of_ones_own_are_known_without_reading_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = files_read(monkeypatch)
    writer = MessageWriter(Lake(tmp_path), run_id="r")
    for name in "abc":
        writer.commit(rows(name))
    assert writer.commit(rows("a", "b", "c")).snapshot_id is None
    assert read == []


def test_it_is_asked_once_however_many_commits_there_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An import of some gigabytes has hundreds of them."""
    asked: list[object] = []
    is_in = pc.is_in

    def record(values: Any, **options: Any) -> Any:
        asked.append(values)
        return is_in(values, **options)

    monkeypatch.setattr(pc, "is_in", record)
    parts = known(*([str(number)] for number in range(200)))
    assert parts.new_among(digests_of(["7", "new"])).to_pylist() == [1]
    assert len(asked) == 2
