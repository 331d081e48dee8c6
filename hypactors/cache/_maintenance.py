"""Keeping a table small and quick: old rows go, small files become large ones (import §9.2).

Everything is a commit like any other, under the dataset's lock, so that writers and readers see the
table before it or after it. Files are taken away last, and only while nobody reads.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pyiceberg.conversions import from_bytes
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.types import LongType

from hypactors.cache._catalog import dataset_lock, open_for_reading
from hypactors.cache._plan import local_path, remember_files
from hypactors.cache._schema import INGEST_SEQ, arrow_schema
from hypactors.lake import ReadersLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

    from hypactors.lake import Lake

SMALL_BYTES = 8 * 1024 * 1024
"""A file below this is worth merging with others."""

MERGED_BYTES = 24 * 1024 * 1024
"""What is merged at one time, so that memory stays bounded; Parquet makes it several times this."""

LEAST_FILES = 6
# The month before the first that is looked at must have a date, too.
_FIRST_MONTH, _LAST_MONTH = (1 - 1970) * 12 + 1, (9999 - 1970) * 12
KEPT_SNAPSHOTS = timedelta(hours=1)
_LEAST_AGE = timedelta(hours=1)
"""A file younger than this may belong to a commit that is under way."""


@dataclass(slots=True)
class Maintained:
    """What was done. ``held_back`` are rows past their time that have not been sent yet."""

    rows_removed: int = 0
    rows_held_back: int = 0
    files_merged: int = 0
    snapshots_expired: int = 0
    files_deleted: int = 0
    left: list[str] = field(default_factory=list)
    """What could not be done this time, and why."""


def maintain(
    lake: Lake, *, cutoff_ms: int | None, sent_seq: int | None, now: datetime
) -> Maintained:
    """Remove what is older than ``cutoff_ms``, merge small files, forget old snapshots.

    Rows above ``sent_seq`` stay whatever their age: they were not sent yet. None for either: no
    bound. Raises ``OSError`` when the cache cannot be read or written.
    """
    done = Maintained()
    table = open_for_reading(lake)
    if table is None:
        return done
    if cutoff_ms is not None:
        with dataset_lock(lake):
            table.refresh()
            _prune(table, cutoff_ms, sent_seq, done)
    for run in _runs(table):
        with dataset_lock(lake):
            table.refresh()
            try:
                done.files_merged += _merge(table, run)
            except CommitFailedException:
                done.left.append("another machine wrote meanwhile: some files were not merged")
                break
    with dataset_lock(lake):
        table.refresh()
        done.snapshots_expired = _expire(table, now)
        if not lake.is_shared:
            _delete_unreferenced(lake, table, now, done)
    remember_files(lake)
    return done


# Retention


def _prune(table: Table, cutoff_ms: int, sent_seq: int | None, done: Maintained) -> None:
    cutoff = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=cutoff_ms)
    old = f"message_created_at < '{cutoff.isoformat()}'"
    old_rows = _count(table, old)
    if sent_seq is not None and old_rows:
        sent = f"{old} and {INGEST_SEQ} <= {sent_seq}"
        sent_rows = _count(table, sent)
        done.rows_held_back = old_rows - sent_rows
        old, old_rows = sent, sent_rows
    if old_rows:
        # Files that are old as a whole are dropped, the others written anew without the old rows.
        table.delete(old, snapshot_properties={"hyp.maintenance": "retention"})
        done.rows_removed = old_rows


def _count(table: Table, rows: str) -> int:
    scan = table.scan(row_filter=rows, selected_fields=("message_created_at", INGEST_SEQ))
    return sum(batch.num_rows for batch in scan.to_arrow_batch_reader())


# Compaction


@dataclass(frozen=True, slots=True)
class _Run:
    """Small files of one partition whose rows follow each other in the order of coming in."""

    month: int
    client: str | None
    first_seq: int
    last_seq: int
    files: int

    def rows(self) -> str:
        """Return what their rows have in common, and no other row of the partition has.

        The partition is named by its month and client, so that no other file is looked at.
        """
        quoted = (self.client or "").replace("'", "''")
        client = "client_name is null" if self.client is None else f"client_name = '{quoted}'"
        return (
            f"{INGEST_SEQ} >= {self.first_seq} and {INGEST_SEQ} <= {self.last_seq} and {client}"
            f" and message_created_at >= '{_month(self.month)}'"
            f" and message_created_at < '{_month(self.month + 1)}'"
        )


def _month(number: int) -> str:
    """Return when a month begins; they are counted from 1970 on."""
    return datetime(1970 + number // 12, number % 12 + 1, 1, tzinfo=UTC).isoformat()


def _runs(table: Table) -> list[_Run]:
    partitions: Mapping[tuple[int, str | None], list[DataFile]] = defaultdict(list)
    for task in table.scan().plan_files():
        month, client = task.file.partition[0], task.file.partition[1]
        if _FIRST_MONTH <= month < _LAST_MONTH:  # beyond, its bounds cannot be written
            partitions[month, client].append(task.file)
    seq_id = table.schema().find_field(INGEST_SEQ).field_id
    return [
        _Run(month, client, lowest, highest, files)
        for (month, client), found in partitions.items()
        for lowest, highest, files in _neighbours(_ranges(found, seq_id))
    ]


def _ranges(files: Sequence[DataFile], seq_id: int) -> list[tuple[int, int, int]]:
    """Return each file's first and last number, and its size; nothing if one does not say."""
    ranges = []
    for file in files:
        lowest, highest = file.lower_bounds or {}, file.upper_bounds or {}
        if seq_id not in lowest or seq_id not in highest:  # another program's
            return []
        first, last = (from_bytes(LongType(), bound[seq_id]) for bound in (lowest, highest))
        ranges.append((int(first), int(last), file.file_size_in_bytes))
    return ranges


def _neighbours(files: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield the first and last number, and the count, of small files with none between them.

    ``files`` are first number, last number and size in bytes of each.
    """
    first = last = count = total = 0
    for lowest, highest, size in sorted(files):
        is_small = size < SMALL_BYTES
        if count and (not is_small or lowest <= last or total + size > MERGED_BYTES):
            if count >= LEAST_FILES:
                yield first, last, count
            count = total = 0
        if is_small and lowest > last:
            first = lowest if count == 0 else first
            count, total = count + 1, total + size
        last = max(last, highest)
    if count >= LEAST_FILES:
        yield first, last, count


def _merge(table: Table, run: _Run) -> int:
    """Write the rows of some files as one; return how many files that has spared."""
    rows = table.scan(row_filter=run.rows()).to_arrow().sort_by(INGEST_SEQ)
    table.overwrite(
        rows.select(arrow_schema().names).cast(arrow_schema()),
        overwrite_filter=run.rows(),
        snapshot_properties={"hyp.maintenance": "compaction"},
    )
    return run.files - 1


# Snapshots and files


def _expire(table: Table, now: datetime) -> int:
    before = len(table.metadata.snapshots)
    table.maintenance.expire_snapshots().older_than(now - KEPT_SNAPSHOTS).commit()
    table.refresh()
    return before - len(table.metadata.snapshots)


def _delete_unreferenced(lake: Lake, table: Table, now: datetime, done: Maintained) -> None:
    """Delete the files of this table that no snapshot names, unless somebody reads."""
    lock = ReadersLock.try_alone(lake.folder)
    if lock is None:
        done.left.append("the cache is being read: files that are not needed stay for now")
        return
    with lock:
        named = _named_files(table)
        newest = (now - _LEAST_AGE).timestamp()
        for path in Path(local_path(table.location())).rglob("*"):
            if path.suffix not in {".parquet", ".avro"} or str(path) in named:
                continue
            try:
                if path.stat().st_mtime < newest:
                    path.unlink()
                    done.files_deleted += 1
            except FileNotFoundError:
                continue


def _named_files(table: Table) -> set[str]:
    named: set[str] = set()
    for snapshot in table.metadata.snapshots:
        named.add(local_path(snapshot.manifest_list))
        for manifest in snapshot.manifests(table.io):
            named.add(local_path(manifest.manifest_path))
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                named.add(local_path(entry.data_file.file_path))
    return named
