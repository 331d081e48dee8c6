"""``hyp query schema``: the columns of the dataset, their types, and what each means."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hypactors.cli._cells import table
from hypactors.cli._parser import Parser
from hypactors.cli._query_options import print_json
from hypactors.dataset import COLUMNS, DATASET, SQL_TYPES
from hypactors.dataset.meanings import MEANINGS
from hypactors.errors import HypError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NOTES = """\
A JSON column is asked with ->> and a path:
  select attributes->>'$.usage.output_tokens' from ai_gateway_messages"""


def main(argv: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Print the columns. Raises ``HypError`` for a table that there is not."""
    parser = Parser(
        prog="hyp query schema",
        description="Every column, its type, and what it means.",
        notes=_NOTES,
        examples={"hyp query schema": "", "hyp query schema --json": "for a program"},
    )
    parser.add_argument("table", nargs="?", default=DATASET, help=f"the only one is {DATASET}")
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    options = parser.parse_args(argv)
    if options.table != DATASET:
        raise HypError(f"there is no table {options.table!r}; the only one is {DATASET}")
    if options.json:
        columns = [
            {
                "name": column.name,
                "type": SQL_TYPES[column.kind],
                "is_json": column.kind == "json",
                "is_required": column.is_required,
                "meaning": MEANINGS[column.name],
            }
            for column in COLUMNS
        ]
        print_json({"table": DATASET, "columns": columns})
        return 0
    rows = [(column.name, SQL_TYPES[column.kind], MEANINGS[column.name]) for column in COLUMNS]
    for line in table((DATASET, "type", "meaning"), rows, (False, False, False)):
        sys.stdout.write(f"{line}\n")
    return 0
