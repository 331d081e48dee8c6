"""Keeping the table small: what goes, what stays, and who is not disturbed (import §9.2)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hypactors.cache import MessageWriter, _maintenance, export_rows, maintain
from hypactors.cache._catalog import open_for_reading
from hypactors.lake import Lake, ReadersLock
from hypactors.providers import Exchange, Message, Row, expand
from hypactors.sql import query

if TYPE_CHECKING:
    from pathlib import Path

DAY_MS = 86_400_000
NOW = datetime(2026, 11, 20, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
LATER = timedelta(days=2)
"""After it, what was just written is old enough for its files to go."""


def rows(*names: str, days_ago: float = 1, client: str = "claude") -> list[Row]:
    exchange = Exchange(
        provider="anthropic",
        session_id="s",
        client_name=client,
        source_path="/x",
        native_id="s",
        messages=[
            Message(
                role="user",
                content=name,
                message_id=name,
                message_created_ms=NOW_MS - int(days_ago * DAY_MS),
            )
            for name in names
        ],
    )
    return list(expand(exchange, now_ms=0))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def add(lake: Lake, *names: str, **kind: Any) -> None:
    MessageWriter(lake, run_id="r").commit(rows(*names, **kind))


def names(lake: Lake) -> list[str]:
    sql = "select content_text from ai_gateway_messages order by content_text"
    return [name for (name,) in query(lake, sql).rows]


def data_files(lake: Lake) -> int:
    table = open_for_reading(lake)
    assert table is not None
    return len(list(table.scan().plan_files()))


def on_disk(lake: Lake) -> int:
    return len(list(lake.warehouse_dir.rglob("*.parquet")))


def cutoff(days: float) -> int:
    return NOW_MS - int(days * DAY_MS)


def test_without_a_cache_there_is_nothing_to_do(lake: Lake) -> None:
    done = maintain(lake, cutoff_ms=cutoff(90), sent_seq=None, now=NOW)
    assert done == _maintenance.Maintained()
    assert not lake.folder.exists()


def test_rows_past_their_time_go_and_the_others_stay(lake: Lake) -> None:
    add(lake, "old", "older", days_ago=91)
    add(lake, "edge", days_ago=90)
    add(lake, "new")
    done = maintain(lake, cutoff_ms=cutoff(90), sent_seq=None, now=NOW)
    assert (done.rows_removed, done.rows_held_back) == (2, 0)
    assert names(lake) == ["edge", "new"]
    assert maintain(lake, cutoff_ms=cutoff(90), sent_seq=None, now=NOW).rows_removed == 0


def test_without_a_bound_all_stay(lake: Lake) -> None:
    """Retention of 0 days."""
    add(lake, "ancient", days_ago=5000)
    assert maintain(lake, cutoff_ms=None, sent_seq=None, now=NOW).rows_removed == 0
    assert names(lake) == ["ancient"]


def test_a_file_that_is_old_in_part_keeps_the_rest(lake: Lake) -> None:
    writer = MessageWriter(lake, run_id="r")
    # One partition: months of the same age.
    writer.commit([*rows("a", days_ago=12), *rows("b", days_ago=8)])
    before = dict(query(lake, "select part_id, content_text from ai_gateway_messages").rows)
    maintain(lake, cutoff_ms=cutoff(10), sent_seq=None, now=NOW)
    assert names(lake) == ["b"]
    kept = dict(query(lake, "select part_id, content_text from ai_gateway_messages").rows)
    assert kept.items() <= before.items()


def test_rows_that_were_not_sent_stay_until_they_are(lake: Lake) -> None:
    add(lake, "a", days_ago=100)
    add(lake, "b", days_ago=100)
    done = maintain(lake, cutoff_ms=cutoff(90), sent_seq=1, now=NOW)
    assert (done.rows_removed, done.rows_held_back) == (1, 1)
    assert names(lake) == ["b"]
    done = maintain(lake, cutoff_ms=cutoff(90), sent_seq=2, now=NOW)
    assert (done.rows_removed, done.rows_held_back) == (1, 0)


def test_small_files_become_one_and_no_row_or_number_changes(lake: Lake) -> None:
    for number in range(9):
        add(lake, f"{number}a", f"{number}b")
    before = [(row.seq, row.line) for row in export_rows(lake, 0)]
    assert data_files(lake) == 9
    done = maintain(lake, cutoff_ms=None, sent_seq=None, now=NOW)
    assert done.files_merged == 8
    assert data_files(lake) == 1
    assert [(row.seq, row.line) for row in export_rows(lake, 0)] == before
    assert maintain(lake, cutoff_ms=None, sent_seq=None, now=NOW).files_merged == 0


def test_a_few_files_are_left_as_they_are(lake: Lake) -> None:
    for number in range(_maintenance.LEAST_FILES - 1):
        add(lake, str(number))
    assert maintain(lake, cutoff_ms=None, sent_seq=None, now=NOW).files_merged == 0


def test_files_of_other_clients_and_months_are_not_mixed(lake: Lake) -> None:
    for number in range(_maintenance.LEAST_FILES):
        MessageWriter(lake, run_id="r").commit(
            [
                *rows(f"c{number}"),
                *rows(f"x{number}", client="codex"),
                *rows(f"m{number}", days_ago=40),
                *rows(f"q{number}", client="it's"),
            ]
        )
    before = names(lake)
    done = maintain(lake, cutoff_ms=None, sent_seq=None, now=NOW)
    assert data_files(lake) == 4
    assert done.files_merged == 4 * (_maintenance.LEAST_FILES - 1)
    assert names(lake) == before


def test_what_was_removed_or_merged_is_known_no_more_than_it_is_there(lake: Lake) -> None:
    """A writer that lives on neither doubles merged rows nor refuses removed ones."""
    writer = MessageWriter(lake, run_id="r")
    for number in range(_maintenance.LEAST_FILES):
        writer.commit(rows(str(number)))
    writer.commit(rows("old", days_ago=100))
    maintain(lake, cutoff_ms=cutoff(90), sent_seq=None, now=NOW)
    assert writer.commit(rows("0", "1", "fresh")).fresh == [2]
    again = MessageWriter(lake, run_id="r")
    assert again.commit(rows("old", "5")).fresh == [0]
    assert names(lake).count("5") == 1


def test_old_snapshots_and_their_files_go_but_not_at_once(lake: Lake) -> None:
    for number in range(8):
        add(lake, str(number))
    now = datetime.now(UTC)
    done = maintain(lake, cutoff_ms=None, sent_seq=None, now=now)
    assert (done.files_merged, done.snapshots_expired, done.files_deleted) == (7, 0, 0)
    assert on_disk(lake) == 9
    done = maintain(lake, cutoff_ms=None, sent_seq=None, now=now + LATER)
    assert done.snapshots_expired > 0
    assert done.files_deleted > 8
    assert on_disk(lake) == 1
    assert names(lake) == [str(number) for number in range(8)]
    assert maintain(lake, cutoff_ms=None, sent_seq=None, now=now + LATER).files_deleted == 0


def test_files_that_a_killed_commit_left_behind_go(lake: Lake) -> None:
    add(lake, "a")
    [data] = lake.warehouse_dir.rglob("*.parquet")
    orphan = data.with_name("orphan.parquet")
    orphan.write_bytes(b"half")
    other = lake.folder / "notes.txt"
    other.touch()
    assert maintain(lake, cutoff_ms=None, sent_seq=None, now=datetime.now(UTC)).files_deleted == 0
    later = datetime.now(UTC) + LATER
    maintain(lake, cutoff_ms=None, sent_seq=None, now=later)
    assert not orphan.exists()
    assert other.exists()
    assert names(lake) == ["a"]


def test_no_file_goes_while_somebody_reads(lake: Lake) -> None:
    for number in range(8):
        add(lake, str(number))
    result = query(lake, "select content_text from ai_gateway_messages order by 1")
    later = datetime.now(UTC) + LATER
    done = maintain(lake, cutoff_ms=None, sent_seq=None, now=later)
    done = maintain(lake, cutoff_ms=None, sent_seq=None, now=later)
    assert done.files_deleted == 0
    assert done.left == ["the cache is being read: files that are not needed stay for now"]
    assert [name for (name,) in result.rows] == [str(number) for number in range(8)]
    assert maintain(lake, cutoff_ms=None, sent_seq=None, now=later).files_deleted > 0


def test_an_export_under_way_keeps_its_files_too(lake: Lake) -> None:
    add(lake, "a", "b")
    under_way = export_rows(lake, 0)
    next(under_way)
    assert ReadersLock.try_alone(lake.folder) is None
    list(under_way)
    lock = ReadersLock.try_alone(lake.folder)
    assert lock is not None
    lock.close()


def test_months_that_no_date_can_name_are_left_alone(lake: Lake) -> None:
    for number in range(_maintenance.LEAST_FILES):
        ancient = rows(str(number), days_ago=(NOW_MS + 62_135_596_800_000) / DAY_MS)
        MessageWriter(lake, run_id="r").commit(ancient)
    assert maintain(lake, cutoff_ms=None, sent_seq=None, now=NOW).left == []
    assert len(names(lake)) == _maintenance.LEAST_FILES


def test_a_writer_and_the_upkeep_at_the_same_time_lose_nothing(lake: Lake) -> None:
    add(lake, "first")

    def write() -> None:
        for number in range(12):
            add(lake, f"w{number:02d}")

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write)
        while not written.done():
            maintain(lake, cutoff_ms=None, sent_seq=None, now=datetime.now(UTC))
        written.result()
    assert names(lake) == ["first", *(f"w{number:02d}" for number in range(12))]


RANGES = st.lists(
    st.tuples(st.integers(1, 9), st.integers(0, 3), st.integers(1, 12)), min_size=1, max_size=30
)


@given(RANGES)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_runs_of_small_files_hold_no_row_of_another(found: list[tuple[int, int, int]]) -> None:
    """Whatever lies between the first and the last number of a run belongs to its files."""
    unit = _maintenance.SMALL_BYTES // 10
    files: list[tuple[int, int, int]] = []
    seq = 0
    for length, gap, size in found:
        files.append((seq + gap, seq + gap + length - 1, size * unit))
        seq += gap + length
    runs = list(_maintenance._neighbours(files))
    for first, last, count in runs:
        inside = [file for file in files if first <= file[0] <= last]
        assert len(inside) == count >= _maintenance.LEAST_FILES
        assert all(file[1] <= last and file[2] < _maintenance.SMALL_BYTES for file in inside)
        assert sum(file[2] for file in inside) <= _maintenance.MERGED_BYTES
