"""Rows -> the Parquet files that a commit names.

pyiceberg's own writer has no switch for single columns, and two of its defaults are dear here. The
bounds of a text are never asked for, and finding those of a large one takes seven times its bytes;
and a dictionary of values that are all different is built in vain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey

from hypactors.cache._schema import LONG_COLUMNS, UNIQUE_COLUMNS, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.table import Table

# Fast, and no larger than the next levels: most of the bytes are in pages that repeat themselves.
_ZSTD_LEVEL = 1

_MONTH, _CLIENT = "_month", "_client"


def write_data_files(table: Table, rows: pa.Table) -> Iterator[DataFile]:
    """Write rows that have ``arrow_schema()``, one file for each partition, and yield the files.

    They belong to the table once a commit names them.
    """
    write_id = uuid4()
    for number, (key, part) in enumerate(_partitions(table, rows)):
        path = table.location_provider().new_data_location(f"{write_id}-{number}.parquet", key)
        yield _write(table, path, key, part)


def _partitions(table: Table, rows: pa.Table) -> Iterator[tuple[PartitionKey, pa.Table]]:
    """Divide rows by month and client, as ``partition_spec`` does."""
    moments = rows["message_created_at"]
    months = pc.add(pc.multiply(pc.subtract(pc.year(moments), 1970), 12), pc.month(moments))
    keys = pa.table({_MONTH: pc.subtract(months, 1), _CLIENT: rows["client_name"]})
    found = keys.group_by(keys.column_names, use_threads=False).aggregate([]).to_pylist()
    for values in found:
        part = rows
        if len(found) > 1:  # as a rule it is one, and nothing is copied
            client = values[_CLIENT]
            is_client = (
                pc.is_null(keys[_CLIENT]) if client is None else pc.equal(keys[_CLIENT], client)
            )
            part = rows.filter(pc.and_(pc.equal(keys[_MONTH], values[_MONTH]), is_client))
        yield _partition_key(table, values[_MONTH], values[_CLIENT]), part


def _partition_key(table: Table, month: int, client: str | None) -> PartitionKey:
    spec = table.spec()
    by_name = {"message_month": month, "client_name": client}
    return PartitionKey(
        field_values=[PartitionFieldValue(field, by_name[field.name]) for field in spec.fields],
        partition_spec=spec,
        schema=table.schema(),
    )


def _write(table: Table, path: str, key: PartitionKey, rows: pa.Table) -> DataFile:
    out = table.io.new_output(path)
    with out.create(overwrite=True) as stream:
        with pq.ParquetWriter(
            stream,
            _SCHEMA,
            compression="zstd",
            compression_level=_ZSTD_LEVEL,
            use_dictionary=[*_WITH_BOUNDS - UNIQUE_COLUMNS],
            write_statistics=[*_WITH_BOUNDS],
            data_page_version="2.0",  # its pages are written without one more copy of them
        ) as writer:
            writer.write_table(rows.cast(_SCHEMA))
        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=writer.writer.metadata,
            stats_columns=compute_statistics_plan(table.schema(), _METRICS),
            parquet_column_mapping=parquet_path_to_id_mapping(table.schema()),
        )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=key.partition,
        file_size_in_bytes=len(out),
        sort_order_id=None,
        spec_id=table.spec().spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


# Readers find a column by the id of its field, whatever its name.
_SCHEMA = pa.schema(
    [
        field.with_metadata({"PARQUET:field_id": str(number)})
        for number, field in enumerate(arrow_schema(), start=1)
    ]
)
_WITH_BOUNDS = {*_SCHEMA.names} - LONG_COLUMNS
_METRICS = {f"write.metadata.metrics.column.{name}": "none" for name in LONG_COLUMNS}
