"""Which SQL may run: one statement that reads, judged by DuckDB's own parse tree."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import duckdb

from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALLOWED = (
    "only one SELECT, WITH, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN statement can run here: "
    "the cache is read-only"
)
_EXPLAIN = re.compile(r"\s*explain\s+(?:analyze\s+)?(?:\([^()]*\)\s*)?", re.IGNORECASE)
# A WITH clause may hold a COPY, which the type of the statement does not tell, and COPY could
# write to the very files that the query may read.
_READING_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"})


def require_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise ``HypError`` unless ``sql`` is one statement that only reads.

    Raises ``duckdb.Error`` when it does not parse.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise HypError(_ALLOWED)
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        sql = _EXPLAIN.sub("", sql, count=1)
    elif kind != duckdb.StatementType.SELECT:
        raise HypError(_ALLOWED)
    # All rows are fetched: a result that is still open blocks the connection.
    [(text,)] = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
    tree = json.loads(text)
    if tree["error"] or not _READING_NODES.issuperset(_nodes(tree)):
        raise HypError(_ALLOWED)


def _nodes(tree: Any) -> Iterator[str]:
    """Yield the types of all query nodes in a serialised statement."""
    if isinstance(tree, dict):
        kind = tree.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE"):
            yield kind
        tree = list(tree.values())
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
