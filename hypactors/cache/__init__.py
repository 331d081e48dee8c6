"""The query cache: an Iceberg table of messages, written by imports and read by queries.

Loads pyarrow and pyiceberg: only children and ``hyp query`` / ``hyp backfill`` import it.
``hypactors.sql`` loads duckdb as well.
"""

from hypactors.cache._catalog import table_id
from hypactors.cache._export import ExportedRow, export_rows
from hypactors.cache._maintenance import Maintained, maintain
from hypactors.cache._plan import planned_files, remember_files, shared_rows
from hypactors.cache._writer import Committed, MessageWriter

__all__ = [
    "Committed",
    "ExportedRow",
    "Maintained",
    "MessageWriter",
    "export_rows",
    "maintain",
    "planned_files",
    "remember_files",
    "shared_rows",
    "table_id",
]
