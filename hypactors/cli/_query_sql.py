"""``hyp query sql``: one statement that reads, and its rows."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.cli._parser import Parser
from hypactors.cli._query_options import add_common, lake_of
from hypactors.cli._query_output import csv_lines, json_lines, table_lines, unique_names
from hypactors.errors import HypError, UsageError
from hypactors.sql import query, write_parquet
from hypactors.words import many

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hypactors.sql import QueryResult

TERMINAL_ROWS = 1000
"""More than anybody reads; a terminal that scrolls for minutes helps nobody."""

NOTHING_YET = "nothing was imported yet, so ai_gateway_messages is empty; 'hyp backfill' imports"

_EXAMPLES = {
    'hyp query sql "select model, count(*) from ai_gateway_messages group by all"': "",
    'hyp query sql "from ai_gateway_messages" --parquet rows.parquet': "",
    "hyp query sql - --csv < question.sql": "",
}


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the rows, or write them to a file. Raises ``HypError`` when the SQL cannot run."""
    options = _parser().parse_args(argv)
    target = _target(options)
    result = query(
        lake_of(options, environ), _statement(options.statement), timeout_s=options.timeout
    )
    if not result.has_table:
        sys.stderr.write(f"hyp query: {NOTHING_YET}\n")
    if target is not None:
        rows = _write(result, target, options.limit)
        sys.stderr.write(f"hyp query: {many(rows, 'row')} written to {target}\n")
    else:
        _print(result, options)
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="hyp query sql",
        description="Run one SELECT over ai_gateway_messages. Nothing is ever changed by it.",
        examples=_EXAMPLES,
    )
    parser.add_argument("statement", help="the SQL; - reads it from stdin")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="an array of objects, a line for each row"
    )
    form.add_argument("--csv", action="store_true", help="a header, then a line for each row")
    form.add_argument("--parquet", metavar="FILE", help="write the rows to a file")
    parser.add_argument("--force", action="store_true", help="replace FILE when it is there")
    parser.add_argument(
        "--limit",
        type=_whole,
        metavar="N",
        help=f"at most N rows, 0 for all (a table on a terminal: {TERMINAL_ROWS}; else all)",
    )
    add_common(parser)
    return parser


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"expects a number from 0 on (got {text})")
    return min(int(text), sys.maxsize)


def _statement(text: str) -> str:
    if text == "-":
        try:
            text = sys.stdin.read()
        except UnicodeDecodeError as error:
            raise HypError("the statement on stdin is not text in UTF-8") from error
    if not text.strip():
        raise UsageError("the statement is empty; see 'hyp query sql --help'")
    return text


def _target(options: argparse.Namespace) -> Path | None:
    if options.parquet is None:
        if options.force:
            raise UsageError("--force goes with --parquet; see 'hyp query sql --help'")
        return None
    target = Path(options.parquet)
    # Before the query, which may take a while.
    if target.is_dir():
        raise HypError(f"{target} is a folder; name a file in it")
    if target.exists() and not options.force:
        raise HypError(f"{target} is there already; --force replaces it")
    if not target.absolute().parent.is_dir():
        raise HypError(f"{target} cannot be written: there is no folder {target.parent}")
    return target


def _write(result: QueryResult, target: Path, limit: int | None) -> int:
    batches = result.batches if not limit else _first(result, limit)
    return write_parquet(target, unique_names(result.columns), result.schema, batches)


def _first(result: QueryResult, limit: int) -> Iterator[Any]:
    """Yield batches of no more than so many rows together."""
    for batch in result.batches:
        yield batch.slice(0, limit)
        limit -= batch.num_rows
        if limit <= 0:
            return


def _print(result: QueryResult, options: argparse.Namespace) -> None:
    is_table = not (options.json or options.csv)
    is_shown = sys.stdout.isatty()
    limit = options.limit
    if limit is None and is_table and is_shown:
        limit = TERMINAL_ROWS
    rows = result.rows
    shown = itertools.islice(rows, limit) if limit else rows
    if options.json:
        lines = json_lines(result.columns, shown)
    elif options.csv:
        lines = csv_lines(result.columns, shown, is_shown=is_shown)
    else:
        lines = table_lines(result.columns, shown)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    if limit and next(rows, None) is not None:
        sys.stderr.write(f"hyp query: cut after {many(limit, 'row')}; --limit 0 gives all\n")
