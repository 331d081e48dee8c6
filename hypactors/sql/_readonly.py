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
# A list of what may be called, not of what may not: json_execute_serialized_sql runs any tree, that
# of a COPY too, and each release of DuckDB brings more functions.
_TABLE_FUNCTIONS = frozenset(
    {
        "duckdb_columns",
        "duckdb_functions",
        "duckdb_keywords",
        "duckdb_types",
        "generate_series",
        "histogram",
        "histogram_values",
        "json_each",
        "json_tree",
        "pragma_table_info",
        "pragma_version",
        "range",
        "repeat",
        "repeat_row",
        "summary",
        "unnest",
    }
)


def require_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise ``HypError`` unless ``sql`` is one statement that only reads.

    Raises ``duckdb.Error`` when it does not parse.
    """
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise HypError("the statement is not text in UTF-8") from None
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise HypError(_ALLOWED)
    try:
        kind = statements[0].type
    except ValueError:  # a kind that only DuckDB itself has a name for
        raise HypError(_ALLOWED) from None
    if kind == duckdb.StatementType.EXPLAIN:
        sql = _EXPLAIN.sub("", sql, count=1)
    elif kind != duckdb.StatementType.SELECT:
        raise HypError(_ALLOWED)
    # All rows are fetched: a result that is still open blocks the connection.
    [(text,)] = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
    tree = json.loads(text)
    if tree["error"]:
        raise HypError(_ALLOWED)
    for node in _nodes(tree):
        _require_reading_node(node)


def _require_reading_node(node: dict[str, Any]) -> None:
    kind = node["type"]
    if kind.endswith("_NODE") and kind not in _READING_NODES:
        raise HypError(_ALLOWED)
    if kind == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"]).lower()
        if name not in _TABLE_FUNCTIONS:
            raise HypError(
                f"the function {name} cannot be read from here: the cache is all there is to read"
            )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield everything in a serialised statement that has a type."""
    if isinstance(tree, dict):
        if isinstance(tree.get("type"), str):
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
