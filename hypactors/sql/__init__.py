"""One SQL statement over the cache (contract §8): DuckDB, and nothing on the machine beside it."""

from hypactors.sql._datasets import ColumnInfo, DatasetInfo, columns, datasets
from hypactors.sql._errors import one_line
from hypactors.sql._overview import Counted, Overview, Session, Tokens, Tool, overview
from hypactors.sql._query import JSON_TYPE, QueryResult, query, save_parquet

__all__ = [
    "JSON_TYPE",
    "ColumnInfo",
    "Counted",
    "DatasetInfo",
    "Overview",
    "QueryResult",
    "Session",
    "Tokens",
    "Tool",
    "columns",
    "datasets",
    "one_line",
    "overview",
    "query",
    "save_parquet",
]
