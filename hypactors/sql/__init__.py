"""Questions to the cache (contract §8): DuckDB, and nothing on the machine beside it."""

from hypactors.sql._datasets import DatasetInfo, datasets
from hypactors.sql._overview import Overview, Tokens, overview
from hypactors.sql._parquet import write_parquet
from hypactors.sql._periods import Calendar
from hypactors.sql._query import QueryResult, query

__all__ = [
    "Calendar",
    "DatasetInfo",
    "Overview",
    "QueryResult",
    "Tokens",
    "datasets",
    "overview",
    "query",
    "write_parquet",
]
