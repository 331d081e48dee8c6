"""Rows on their way out: each once, in the order of their numbers, as lines that any JSON reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.cache import MessageWriter, export_rows
from hypactors.cache._catalog import open_for_reading
from hypactors.cache._export import _json, portable
from hypactors.central.server._rows import read_rows
from hypactors.dataset import COLUMNS
from hypactors.lake import Lake, cache_end
from hypactors.providers import Exchange, Message, expand

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hypactors.providers import Row


def rows(*names: str, client: str = "claude", session: str = "s") -> list[Row]:
    exchange = Exchange(
        provider="anthropic",
        session_id=session,
        client_name=client,
        source_path="/",
        native_id=session,
        cwd="/work",
        messages=[
            Message(
                role="user",
                content=[{"type": "tool_use", "id": name, "name": "t", "input": {"n": 2**60}}],
                message_id=name,
                message_created_ms=1_750_000_000_123,
            )
            for name in names
        ],
    )
    return list(expand(exchange, now_ms=0))


def exported(lake: Lake, after_seq: int = 0) -> list[tuple[int, dict[str, Any]]]:
    return [(row.seq, json.loads(row.line)) for row in export_rows(lake, after_seq)]


def names(found: Sequence[tuple[int, dict[str, Any]]]) -> list[str]:
    return [row["tool_call_id"] for _, row in found]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_nothing_was_ever_imported(lake: Lake) -> None:
    assert exported(lake) == []
    assert cache_end(lake.folder) is None


def test_rows_come_in_the_order_of_their_numbers(lake: Lake) -> None:
    """central 19 and 24: over files of several partitions and commits, each once."""
    writer = MessageWriter(lake, run_id="r")
    writer.commit(rows("a", "b") + rows("x", "y", client="codex", session="t"))
    writer.commit(rows("c", client="codex"))
    found = exported(lake)
    assert [seq for seq, _ in found] == [1, 2, 3, 4, 5]
    assert sorted(names(found)) == ["a", "b", "c", "x", "y"]
    end = cache_end(lake.folder)
    assert end is not None
    assert end.seq == 5


def test_files_whose_numbers_interleave(lake: Lake) -> None:
    """central 24: a commit writes a file a partition, and numbers its rows over all of them."""
    batch = [
        row
        for session, client in zip("abcdef", ("claude", "codex") * 3, strict=True)
        for row in rows(f"{session}1", f"{session}2", client=client, session=session)
    ]
    MessageWriter(lake, run_id="r").commit(batch)
    assert len(list(lake.warehouse_dir.rglob("*.parquet"))) == 2
    found = exported(lake)
    assert [seq for seq, _ in found] == list(range(1, 13))
    assert [row["session_id"] for _, row in found] == sorted("abcdef" * 2)


@pytest.mark.parametrize("after", [0, 2, 3, 5])
def test_only_those_above_the_mark(lake: Lake, after: int) -> None:
    """central 23."""
    writer = MessageWriter(lake, run_id="r")
    writer.commit(rows("a", "b", "c"))
    writer.commit(rows("d", "e"))
    assert [seq for seq, _ in exported(lake, after)] == list(range(after + 1, 6))


def test_files_below_the_mark_are_not_opened(lake: Lake) -> None:
    writer = MessageWriter(lake, run_id="r")
    writer.commit(rows("a", "b"))
    for path in lake.warehouse_dir.rglob("*.parquet"):
        path.unlink()
    writer.commit(rows("c"))
    assert names(exported(lake, 2)) == ["c"]


def test_a_file_that_somebody_has_rewritten_in_another_order(lake: Lake) -> None:
    """central 24: no row is lost to it."""
    MessageWriter(lake, run_id="r").commit(rows(*"abcdefgh"))
    [path] = lake.warehouse_dir.rglob("*.parquet")
    table = pq.ParquetFile(path).read()
    shuffled = table.take([3, 7, 0, 2, 6, 1, 5, 4])
    pq.write_table(shuffled, path)
    assert [seq for seq, _ in exported(lake, 1)] == [2, 3, 4, 5, 6, 7, 8]


def test_a_line_is_what_the_other_end_stores(lake: Lake, tmp_path: Path) -> None:
    """central §5.2: read there, it is the row that was written here."""
    written = [
        tuple(value.decode() if isinstance(value, bytes) else value for value in row)
        for row in rows("a", "b")
    ]
    MessageWriter(lake, run_id="r").commit(written)
    lines = [row.line for row in export_rows(lake, 0)]
    received = read_rows(b"\n".join(lines) + b"\n")
    big = next(index for index, column in enumerate(COLUMNS) if column.name == "tool_args")
    assert [row[:big] + row[big + 1 :] for row in received] == [
        row[:big] + row[big + 1 :] for row in written
    ]
    assert [row[big] for row in received] == ['{"n":"1152921504606847000"}'] * 2
    there = Lake(tmp_path / "there")
    MessageWriter(there, run_id="s").commit(received)
    assert names(exported(there)) == ["a", "b"]


def test_times_are_iso_with_milliseconds(lake: Lake) -> None:
    MessageWriter(lake, run_id="r").commit(rows("a"))
    [(_, row)] = exported(lake)
    assert row["message_created_at"] == "2025-06-15T15:06:40.123Z"
    assert "_hyp_ingest_seq" not in row
    assert None not in row.values()


def test_a_reader_keeps_its_snapshot(lake: Lake) -> None:
    writer = MessageWriter(lake, run_id="r")
    writer.commit(rows("a", "b"))
    reading = export_rows(lake, 0)
    first = next(reading)
    writer.commit(rows("c"))
    assert [first.seq, *(row.seq for row in reading)] == [1, 2]


def test_a_table_that_is_made_anew_has_another_id(lake: Lake, tmp_path: Path) -> None:
    MessageWriter(lake, run_id="r").commit(rows("a"))
    other = Lake(tmp_path / "other")
    MessageWriter(other, run_id="r").commit(rows("a"))
    here, there = cache_end(lake.folder), cache_end(other.folder)
    assert here is not None
    assert there is not None
    assert (here.seq, here.cache_id == there.cache_id) == (1, False)
    table = open_for_reading(lake)
    assert table is not None
    assert here.cache_id == str(table.metadata.table_uuid)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_no_integer_is_larger_than_a_reader_can_hold(value: Any) -> None:
    """central §5.2."""

    def integers(found: Any) -> list[int]:
        if isinstance(found, bool):
            return []
        if isinstance(found, int):
            return [found]
        if isinstance(found, dict):
            found = list(found.values())
        inner = found if isinstance(found, list) else []
        return [number for item in inner for number in integers(item)]

    assert all(abs(number) <= 2**53 - 1 for number in integers(portable(value)))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a":1}', '{"a":1}'),
        ('{"a": [1,\n2]}', '{"a":[1,2]}'),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740992", '"9007199254740992"'),
        ("-9007199254740993", '"-9007199254740993"'),
        ("[1.5,true]", "[1.5,true]"),
    ],
)
def test_stored_json_becomes_part_of_the_line(text: str, line: str) -> None:
    assert msgspec.json.encode(_json(text)).decode() == line
