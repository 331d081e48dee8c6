"""The files that make up the table, as pyiceberg reads them from the catalogue."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow.dataset as ds
from pyiceberg.io.pyarrow import PyArrowFileIO
from sqlalchemy.exc import SQLAlchemyError

from hypactors.cache._catalog import open_for_reading
from hypactors.cache._faults import told_plainly
from hypactors.cache._schema import arrow_schema
from hypactors.lake import keep_plan

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.table import Table

    from hypactors.lake import Lake


def planned_files(lake: Lake) -> list[str] | None:
    """Return the paths of the table's files; None when nothing was ever imported.

    Raises ``OSError`` when the catalogue cannot be read.
    """
    table = _table(lake)
    return None if table is None else _files(table)


def remember_files(lake: Lake) -> None:
    """Work out the paths now, so that no query has to; it is no loss when that fails."""
    if not lake.is_shared:
        with contextlib.suppress(OSError):
            table = _table(lake)
            if table is not None:
                keep_plan(lake.folder, table.metadata_location, _files(table))


def shared_rows(lake: Lake) -> ds.Dataset | pa.Table | None:
    """Return the rows of a table in a catalogue that others share; None when there is none.

    They are read from wherever the catalogue keeps them, as far as a query asks for them. Raises
    ``HypError`` when the catalogue cannot be read.
    """
    with told_plainly(lake):
        table = _table(lake)
        return None if table is None else _rows(table)


def _rows(table: Table) -> ds.Dataset | pa.Table:
    tasks = list(table.scan().plan_files())
    if not isinstance(table.io, PyArrowFileIO) or any(task.delete_files for task in tasks):
        return table.scan().to_arrow()  # another program has marked rows as deleted
    scheme, place, _ = PyArrowFileIO.parse_location(table.location())
    paths = [PyArrowFileIO.parse_location(task.file.file_path)[2] for task in tasks]
    system = table.io.fs_by_scheme(scheme, place)
    return ds.dataset(paths, arrow_schema(), format="parquet", filesystem=system)


def _table(lake: Lake) -> Table | None:
    try:
        return open_for_reading(lake)
    except SQLAlchemyError as error:
        raise OSError(str(error)) from error


def _files(table: Table) -> list[str]:
    return [local_path(task.file.file_path) for task in table.scan().plan_files()]


def local_path(location: str) -> str:
    return unquote(location.removeprefix("file://")) if location.startswith("file:") else location
