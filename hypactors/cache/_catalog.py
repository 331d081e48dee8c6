"""Open the cache's table, for writing or for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from sqlalchemy import URL
from sqlalchemy.exc import OperationalError

from hypactors.cache import _schema
from hypactors.cache._durable_io import DurableFileIO
from hypactors.dataset import DATASET
from hypactors.lake import DatasetLock

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


def dataset_lock(lake: Lake) -> DatasetLock:
    return DatasetLock(lake.folder / f"{DATASET}.lock")


def open_for_writing(lake: Lake) -> Table:
    """Return the table and make it first when it is not there. Two processes may race here."""
    with dataset_lock(lake):
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
    try:
        return catalog.create_table(
            _schema.TABLE,
            schema=schema,
            partition_spec=_schema.partition_spec(schema),
            sort_order=_schema.sort_order(schema),
            properties=_PROPERTIES,
        )
    except TableAlreadyExistsError:  # by another machine: the lock is of this one
        return catalog.load_table(_schema.TABLE)


def open_for_reading(lake: Lake) -> Table | None:
    """Return the table at its current snapshot, or None when nothing was ever imported."""
    if not lake.properties and not lake.catalog_file.exists():
        return None
    try:
        return _catalog(lake, is_new=False).load_table(_schema.TABLE)
    except NoSuchTableError:
        return None
    except OperationalError as error:
        # The first import is creating the catalog at this moment.
        if "no such table" in str(error):
            return None
        raise


def _catalog(lake: Lake, *, is_new: bool) -> Catalog:
    if lake.properties:
        return load_catalog("hyp", **lake.properties)
    # Through URL.create: a path may hold characters that mean something in a URL.
    uri = URL.create("sqlite", database=str(lake.catalog_file)).render_as_string()
    return SqlCatalog(
        "hyp",
        uri=uri,
        warehouse=str(lake.warehouse_dir),
        **{"py-io-impl": f"{DurableFileIO.__module__}.{DurableFileIO.__name__}"},
        init_catalog_tables=str(is_new).lower(),
    )
