"""One SQL statement over the cache (contract §8): DuckDB, and nothing on the machine beside it."""

from hypactors.sql._query import JSON_TYPE, QueryResult, one_line, query

__all__ = ["JSON_TYPE", "QueryResult", "one_line", "query"]
