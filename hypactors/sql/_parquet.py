"""Rows of a query as a Parquet file."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def write_parquet(
    path: Path, names: Sequence[str], schema: pa.Schema, batches: Iterable[pa.RecordBatch]
) -> int:
    """Replace ``path`` by a file of the rows, owner-only, and return how many there are.

    A reader sees the old file or the whole new one. ``names`` are the columns', all different.
    """
    schema = pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(6).hex()}.tmp")
    rows = 0
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
            with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
                for batch in batches:
                    writer.write_batch(batch.rename_columns(list(names)))
                    rows += batch.num_rows
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise HypError(f"{path} cannot be written: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return rows
