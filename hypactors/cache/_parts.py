"""Which parts the table already has: the one guard against a row that is there twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from hypactors.cache._schema import PART_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyiceberg.table import Table

_COLUMN = "part_id"


class KnownParts:
    """The ``part_id`` of every row of the table, kept in step with what others commit.

    Only this class knows how the ids are held; callers ask for the new ones among theirs.
    """

    def __init__(self) -> None:
        self._parts: set[str] = set()
        self._files: set[str] = set()
        self._snapshot_id: int | None = None

    def refresh(self, table: Table) -> None:
        """Take in the files that were committed since the last look. Holds the dataset lock."""
        snapshot = table.current_snapshot()
        if snapshot is None or snapshot.snapshot_id == self._snapshot_id:
            return
        planned = {task.file.file_path for task in table.scan().plan_files()}
        for path in sorted(planned - self._files):
            with table.io.new_input(path).open() as stream:
                for batch in pq.ParquetFile(stream).iter_batches(columns=[_COLUMN]):
                    self._parts.update(batch.column(0).to_pylist())
        self._files = planned
        self._snapshot_id = snapshot.snapshot_id

    def new_among(self, rows: Sequence[tuple[object, ...]]) -> list[int]:
        """Return the indexes of the rows that are nowhere yet; the first of equals counts."""
        return list(self._new_among(rows))

    def _new_among(self, rows: Sequence[tuple[object, ...]]) -> Iterator[int]:
        batch: set[str] = set()
        for index, row in enumerate(rows):
            part_id = str(row[PART_ID])
            if part_id not in self._parts and part_id not in batch:
                batch.add(part_id)
                yield index

    def committed(self, rows: Sequence[tuple[object, ...]], table: Table) -> None:
        """Remember rows of our own that the table now has."""
        self._parts.update(str(row[PART_ID]) for row in rows)
        snapshot = table.current_snapshot()
        self._snapshot_id = None if snapshot is None else snapshot.snapshot_id
