"""Open the cache's table, for writing or for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from sqlalchemy import URL
from sqlalchemy.exc import OperationalError

from hypactors.cache import _schema
from hypactors.cache._durable_io import DurableFileIO
from hypactors.cache._lock import DatasetLock

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from hypactors.paths import HypHome

_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    # Each commit writes a new metadata file; without this they would pile up for ever.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


def dataset_lock(home: HypHome) -> DatasetLock:
    return DatasetLock(home.lake_dir / f"{_schema.DATASET}.lock")


def open_for_writing(home: HypHome) -> Table:
    """Return the table and make it first when it is not there. Two processes may race here."""
    with dataset_lock(home):
        catalog = _catalog(home, is_new=True)
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


def open_for_reading(home: HypHome) -> Table | None:
    """Return the table at its current snapshot, or None when nothing was ever imported."""
    if not home.catalog_file.exists():
        return None
    try:
        return _catalog(home, is_new=False).load_table(_schema.TABLE)
    except NoSuchTableError:
        return None
    except OperationalError as error:
        # The first import is creating the catalog at this moment.
        if "no such table" in str(error):
            return None
        raise


def _catalog(home: HypHome, *, is_new: bool) -> SqlCatalog:
    # Through URL.create: a path may hold characters that mean something in a URL.
    uri = URL.create("sqlite", database=str(home.catalog_file)).render_as_string()
    return SqlCatalog(
        "hyp",
        uri=uri,
        warehouse=str(home.warehouse_dir),
        **{"py-io-impl": f"{DurableFileIO.__module__}.{DurableFileIO.__name__}"},
        init_catalog_tables=str(is_new).lower(),
    )
