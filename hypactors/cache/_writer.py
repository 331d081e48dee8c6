"""Append rows to the table: each commit whole or not at all, each part once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import tenacity
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.update.snapshot import ExpireSnapshots

from hypactors.cache._catalog import dataset_lock, open_for_writing
from hypactors.cache._data_files import write_data_files
from hypactors.cache._faults import told_plainly
from hypactors.cache._parts import KnownParts
from hypactors.cache._schema import SORT_COLUMNS, arrow_schema
from hypactors.cache._transaction import FrugalTransaction
from hypactors.dataset.arrow import columns_of, digests_of_rows
from hypactors.lake import NEXT_SEQ

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyiceberg.table import Transaction

    from hypactors.lake import Lake

_LOST_RACES = 30
"""How often a commit is made again because another machine was quicker."""

_LONGEST_PAUSE_S = 5.0

_KEPT_SNAPSHOTS = 8


@dataclass(frozen=True, slots=True)
class Committed:
    """What one commit did."""

    fresh: Sequence[int]
    """The indexes of the rows that were written; the others were already there."""
    snapshot_id: int | None
    """None when nothing was new and so nothing was committed."""


class MessageWriter:
    """Writes the rows of one run. Not for two threads; two processes are safe."""

    def __init__(self, lake: Lake, *, run_id: str, keeps_snapshots: bool = True) -> None:
        """Take the lake. Without ``keeps_snapshots`` only the newest of this run's stay.

        A commit copies the table's metadata several times over, so that an import of many commits
        would slow down with each. Their files stay: later snapshots name them too.
        """
        self._lake = lake
        self._run_id = run_id
        self._keeps_snapshots = keeps_snapshots
        self._own_snapshots: list[int] = []
        self._table = open_for_writing(lake)
        self._known = KnownParts()

    @property
    def cache_id(self) -> str:
        """Which table this is: a cache that was deleted and made anew is another one."""
        return str(self._table.metadata.table_uuid)

    def commit(
        self,
        rows: Sequence[tuple[object, ...]],
        *,
        files: int = 0,
        summary: Mapping[str, str] | None = None,
    ) -> Committed:
        """Append rows, in column order, their times in milliseconds: see ``commit_columns``."""
        if not rows:
            return Committed((), None)
        columns = pa.Table.from_batches([columns_of(rows)])
        return self.commit_columns(columns, digests_of_rows(rows), files=files, summary=summary)

    def commit_columns(
        self,
        columns: pa.Table,
        digests: pa.Array,
        *,
        files: int = 0,
        summary: Mapping[str, str] | None = None,
    ) -> Committed:
        """Append the rows whose part is not there yet, in one atomic commit.

        ``columns`` has ``ROW_SCHEMA`` and ``digests`` those of its part ids; ``files`` says how
        many files of history they came from; ``summary`` is kept with the snapshot. On return the
        commit is what every reader sees. A process that dies in here leaves the table as it was,
        and perhaps files that no snapshot names.
        """
        noted = {"hyp.files": str(files)} | dict(summary or {})
        # On top of what others commit meanwhile: another machine knows no lock of ours.
        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(CommitFailedException),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=_LONGEST_PAUSE_S),
            stop=tenacity.stop_after_attempt(_LOST_RACES),
            reraise=True,
        )
        with told_plainly(self._lake), dataset_lock(self._lake):
            return again(self._commit, columns, digests, noted)

    def _commit(
        self, columns: pa.Table, digests: pa.Array, summary: Mapping[str, str]
    ) -> Committed:
        self._table.refresh()
        self._known.refresh(self._table)
        fresh = self._known.new_among(digests)
        if not len(fresh):
            return Committed((), None)
        if len(fresh) < len(digests):
            columns, digests = columns.take(fresh), digests.take(fresh)
        next_seq = int(self._table.properties.get(NEXT_SEQ, "1"))
        with FrugalTransaction(self._table) as transaction:
            transaction.set_properties({NEXT_SEQ: str(next_seq + len(fresh))})
            properties = {"hyp.run-id": self._run_id, "hyp.rows": str(len(fresh)), **summary}
            with transaction.update_snapshot(properties).fast_append() as append:
                for file in write_data_files(self._table, _numbered(columns, next_seq)):
                    append.append_data_file(file)
            self._forget_snapshots(transaction)
        self._known.committed(digests, self._table)
        snapshot = self._table.current_snapshot()
        if snapshot is None:
            return Committed(fresh.to_pylist(), None)
        self._own_snapshots.append(snapshot.snapshot_id)
        return Committed(fresh.to_pylist(), snapshot.snapshot_id)

    def _forget_snapshots(self, transaction: Transaction) -> None:
        if self._keeps_snapshots or len(self._own_snapshots) < 2 * _KEPT_SNAPSHOTS:
            return
        there = {each.snapshot_id for each in self._table.metadata.snapshots}
        old = self._own_snapshots[:-_KEPT_SNAPSHOTS]
        self._own_snapshots = self._own_snapshots[-_KEPT_SNAPSHOTS:]
        ExpireSnapshots(transaction).by_ids([each for each in old if each in there]).commit()


def _numbered(columns: pa.Table, next_seq: int) -> pa.Table:
    """Return the rows in the table's sort order, numbered from ``next_seq``."""
    batches = sorted(columns.to_batches(), key=_place_of_first)
    columns = pa.Table.from_batches(batches, columns.schema)
    order = pc.sort_indices(columns, sort_keys=[(name, "ascending") for name in SORT_COLUMNS])
    numbers = pa.array(range(columns.num_rows), pa.uint64())
    if not order.equals(numbers):  # as a rule it is: a batch has its sessions one by one
        columns = columns.take(order)
    seqs = pc.add(numbers.cast(pa.int64()), next_seq)
    return pa.Table.from_arrays([*columns.columns, seqs], schema=arrow_schema())


def _place_of_first(batch: pa.RecordBatch) -> tuple[Any, ...]:
    return tuple(batch.column(name)[0].as_py() for name in SORT_COLUMNS)
