"""Open the cache's table, for writing or for reading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tenacity
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from hypactors.cache import _schema
from hypactors.cache._durable_io import DurableFileIO
from hypactors.cache._faults import told_plainly
from hypactors.dataset import DATASET
from hypactors.lake import CATALOG_NAME, DatasetLock

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from hypactors.lake import Lake

_RETRIES = "commit.retry.num-retries"

_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    # Each commit writes a new metadata file; without this they would pile up for ever.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    # An append that is repeated as it is would write what another machine wrote meanwhile a second
    # time; it is made anew instead.
    _RETRIES: "0",
}

_IO = {"py-io-impl": f"{DurableFileIO.__module__}.{DurableFileIO.__name__}"}
# Without a driver in it, releases of SQLAlchemy choose different ones.
_POSTGRES = re.compile(r"^postgres(ql)?://")

_LOST_RACES = 8
"""How often a table is looked for again because another machine began to make it."""


def dataset_lock(lake: Lake) -> DatasetLock:
    return DatasetLock(lake.folder / f"{DATASET}.lock")


def open_for_writing(lake: Lake) -> Table:
    """Return the table and make it first when it is not there.

    Processes and, of a shared catalogue, machines may race here.
    """
    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_lost_race),
        wait=tenacity.wait_random(0, 0.2),
        stop=tenacity.stop_after_attempt(_LOST_RACES),
        reraise=True,
    )
    with told_plainly(lake), dataset_lock(lake):
        return again(_open_for_writing, lake)


def _open_for_writing(lake: Lake) -> Table:
    table = _load_or_create(_catalog(lake, is_new=True))
    if table.properties.get(_RETRIES) != _PROPERTIES[_RETRIES]:  # made by an earlier version
        with table.transaction() as transaction:
            transaction.set_properties({_RETRIES: _PROPERTIES[_RETRIES]})
    return table


def _load_or_create(catalog: Catalog) -> Table:
    try:
        return catalog.load_table(_schema.TABLE)
    except NoSuchTableError:
        catalog.create_namespace_if_not_exists(_schema.NAMESPACE)
    schema = _schema.iceberg_schema()
    return catalog.create_table(
        _schema.TABLE,
        schema=schema,
        partition_spec=_schema.partition_spec(schema),
        sort_order=_schema.sort_order(schema),
        properties=_PROPERTIES,
    )


def _is_lost_race(error: BaseException) -> bool:
    """Say whether another machine has just made what was to be made: the lock is of this one."""
    if isinstance(error, OperationalError):
        return "already exists" in str(error.orig)
    lost = (
        CommitFailedException,
        NamespaceAlreadyExistsError,
        TableAlreadyExistsError,
        IntegrityError,
        ProgrammingError,
    )
    return isinstance(error, lost)


def open_for_reading(lake: Lake) -> Table | None:
    """Return the table at its current snapshot, or None when nothing was ever imported."""
    if not lake.is_shared and not lake.catalog_file.exists():
        return None
    with told_plainly(lake):
        try:
            return _catalog(lake, is_new=False).load_table(_schema.TABLE)
        except NoSuchTableError:
            return None
        except DBAPIError as error:
            # The first import has not been, or is creating the catalog at this moment.
            if _has_no_tables(error):
                return None
            raise


def table_id(lake: Lake) -> str | None:
    """Return the id of the table, as its catalogue has it; None when there is none."""
    table = open_for_reading(lake)
    return None if table is None else str(table.metadata.table_uuid)


def _has_no_tables(error: DBAPIError) -> bool:
    undefined_table = "42P01"
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return code == undefined_table or "no such table" in str(error.orig)


def _catalog(lake: Lake, *, is_new: bool) -> Catalog:
    makes_tables = {"init_catalog_tables": str(is_new).lower()}
    if lake.is_shared:
        properties = {**makes_tables, **lake.properties}
        if properties.get("warehouse", "").startswith(("/", "file:")):
            properties = {**_IO, **properties}
        if "uri" in properties:
            properties["uri"] = _POSTGRES.sub("postgresql+psycopg://", properties["uri"])
        return load_catalog(CATALOG_NAME, **properties)
    # Through URL.create: a path may hold characters that mean something in a URL.
    uri = URL.create("sqlite", database=str(lake.catalog_file)).render_as_string()
    return SqlCatalog(
        CATALOG_NAME, uri=uri, warehouse=str(lake.warehouse_dir), **_IO, **makes_tables
    )
