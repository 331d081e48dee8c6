"""Which parts the table already has: the one guard against a row that is there twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hypactors.dataset.arrow import DIGEST_BYTES, digests_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table

_COLUMN = "part_id"
_DIGEST = pa.binary(DIGEST_BYTES)


class KnownParts:
    """The digests of every row's ``part_id``, kept in step with what others commit.

    They take 16 bytes a row. Asking goes the other way round: the few that are asked for make a
    hash table, and the many that are known run through it, a million of them in some 20 ms.
    """

    def __init__(self) -> None:
        self._digests: list[pa.Array] = []
        self._files: set[str] = set()
        self._manifests: set[str] = set()
        self._snapshot_id: int | None = None

    def refresh(self, table: Table) -> None:
        """Take in the files that were committed since the last look. Holds the dataset lock."""
        for manifest in self._new_manifests(table):
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                path = entry.data_file.file_path
                if path not in self._files:
                    self._files.add(path)
                    self._digests.append(_digests_in(table, path))

    def new_among(self, digests: pa.Array) -> pa.Array:
        """Return the indexes of those that are nowhere yet; the first of equals counts."""
        known = pa.chunked_array(self._digests, _DIGEST)
        found = known.filter(pc.is_in(known, value_set=digests))
        is_new = pc.invert(pc.is_in(digests, value_set=found.combine_chunks()))
        if len(digests.unique()) < len(digests):
            first = {each: index for index, each in reversed([*enumerate(digests.to_pylist())])}
            is_new = pc.and_(
                is_new, pc.is_in(pa.array(range(len(digests))), value_set=pa.array(first.values()))
            )
        return pc.indices_nonzero(is_new)

    def committed(self, digests: pa.Array, table: Table) -> None:
        """Remember rows of our own that the table now has: their files need not be read."""
        self._digests.append(digests)
        for manifest in self._new_manifests(table):
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                self._files.add(entry.data_file.file_path)

    def _new_manifests(self, table: Table) -> Iterator[ManifestFile]:
        snapshot = table.current_snapshot()
        if snapshot is None or snapshot.snapshot_id == self._snapshot_id:
            return
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in self._manifests:
                yield manifest
                self._manifests.add(manifest.manifest_path)
        self._snapshot_id = snapshot.snapshot_id


def _digests_in(table: Table, path: str) -> pa.Array:
    with table.io.new_input(path).open() as stream:
        batches = pq.ParquetFile(stream).iter_batches(columns=[_COLUMN])
        chunks = [digests_of(batch.column(0).to_pylist()) for batch in batches]
    return pa.chunked_array(chunks, _DIGEST).combine_chunks()
