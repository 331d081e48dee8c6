"""Append rows to the table: each commit whole or not at all, each part once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException

from hypactors.cache._catalog import dataset_lock, open_for_writing
from hypactors.cache._parts import KnownParts
from hypactors.cache._schema import COLUMNS, INGEST_SEQ, SORT_COLUMNS, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypactors.cache._lake import Lake

# A table property, so that it is committed with the rows and outlives every snapshot.
NEXT_SEQ = "hyp.next-ingest-seq"

_LOST_RACES = 20
"""How often a commit is made again because another machine was quicker."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What one commit did."""

    fresh: Sequence[int]
    """The indexes of the rows that were written; the others were already there."""
    snapshot_id: int | None
    """None when nothing was new and so nothing was committed."""


class MessageWriter:
    """Writes the rows of one run. Not for two threads; two processes are safe."""

    def __init__(self, lake: Lake, *, run_id: str) -> None:
        self._lake = lake
        self._run_id = run_id
        self._table = open_for_writing(lake)
        self._known = KnownParts()
        self._schema = arrow_schema()

    def commit(
        self,
        rows: Sequence[tuple[object, ...]],
        *,
        files: int = 0,
        summary: Mapping[str, str] | None = None,
    ) -> Committed:
        """Append the rows whose part is not there yet, in one atomic commit.

        ``rows`` are in column order, times in milliseconds; ``files`` says how many files of
        history they came from; ``summary`` is kept with the snapshot. On return the commit is
        what every reader sees. A process that dies in here leaves the table as it was, and
        perhaps files that no snapshot names.
        """
        with dataset_lock(self._lake):
            return self._commit_anew(rows, {"hyp.files": str(files)} | dict(summary or {}))

    def _commit_anew(
        self, rows: Sequence[tuple[object, ...]], summary: Mapping[str, str]
    ) -> Committed:
        """Commit on top of what others commit meanwhile; another machine knows no lock of ours."""
        for _ in range(_LOST_RACES):
            try:
                return self._commit(rows, summary)
            except CommitFailedException:
                continue
        return self._commit(rows, summary)

    def _commit(self, rows: Sequence[tuple[object, ...]], summary: Mapping[str, str]) -> Committed:
        self._table.refresh()
        self._known.refresh(self._table)
        fresh = self._known.new_among(rows)
        if not fresh:
            return Committed((), None)
        new_rows = rows if len(fresh) == len(rows) else [rows[index] for index in fresh]
        next_seq = int(self._table.properties.get(NEXT_SEQ, "1"))
        batch = self._batch(new_rows, next_seq)
        with self._table.transaction() as transaction:
            transaction.set_properties({NEXT_SEQ: str(next_seq + len(new_rows))})
            transaction.append(
                batch,
                snapshot_properties={
                    "hyp.run-id": self._run_id,
                    "hyp.rows": str(len(new_rows)),
                    **summary,
                },
            )
        self._known.committed(new_rows, self._table)
        snapshot = self._table.current_snapshot()
        return Committed(fresh, None if snapshot is None else snapshot.snapshot_id)

    def _batch(self, rows: Sequence[tuple[object, ...]], next_seq: int) -> pa.Table:
        """Return the rows as columns in the table's sort order, numbered from ``next_seq``."""
        arrays = [
            _array(values, field.type)
            for values, field in zip(zip(*rows, strict=True), self._schema, strict=False)
        ]
        names = [column.name for column in COLUMNS]
        table = pa.table(arrays, names=names).sort_by(
            [(name, "ascending") for name in SORT_COLUMNS]
        )
        numbers = pa.array(range(next_seq, next_seq + len(rows)), pa.int64())
        return table.append_column(INGEST_SEQ, numbers).cast(self._schema)


def _array(values: tuple[object, ...], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.timestamp("ms", tz="UTC")).cast(kind)
    return pa.array(values, kind)
