"""The query cache: an Iceberg table of messages, written by imports and read by queries.

Loads pyarrow, pyiceberg and duckdb: only children and ``hyp query`` / ``hyp backfill`` import it.
"""

from hypactors.cache._export import CacheEnd, ExportedRow, cache_end, export_rows
from hypactors.cache._lake import Lake
from hypactors.cache._query import JSON_TYPE, QueryResult, query
from hypactors.cache._schema import COLUMNS, DATASET, Column
from hypactors.cache._writer import Committed, MessageWriter

__all__ = [
    "COLUMNS",
    "DATASET",
    "JSON_TYPE",
    "CacheEnd",
    "Column",
    "Committed",
    "ExportedRow",
    "Lake",
    "MessageWriter",
    "QueryResult",
    "cache_end",
    "export_rows",
    "query",
]
