"""``hyp query``: ask the local cache, or a catalogue that others share (contract §8)."""

from __future__ import annotations

import argparse
import io
import math
import sys
from itertools import islice
from typing import TYPE_CHECKING

from hypactors.cli._parser import Parser
from hypactors.errors import HypError, UsageError
from hypactors.lake import Lake
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TERMINAL_ROWS = 1000
"""A table for a person ends here; what is not for a person is whole."""

_LONGEST_S = 7 * 86_400.0

_EXAMPLES = """\
examples:
  hyp query overview --since 30d
  hyp query sql "select model, count(*) from ai_gateway_messages group by 1"
  hyp query sql - --csv < question.sql > answer.csv
  hyp query schema
"""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Answer one question. Exit 1 when it cannot be answered, 2 for wrong arguments."""
    try:
        options = _parser().parse_args(_shielded(argv))
        _COMMANDS[options.command](options, environ)
    except UsageError as error:
        sys.stderr.write(f"hyp query: {error}\n")
        return 2
    except HypError as error:
        sys.stderr.write(f"hyp query: {error}\n")
        return 1
    return 0


def _shielded(argv: Sequence[str]) -> list[str]:
    """Let a statement that begins with a comment not look like an option."""
    return [f"\n{word}" if word.startswith("--") and word[2:3].isspace() else word for word in argv]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="hyp query",
        description="Ask the cache. Nothing is changed by a query, whatever it says.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    sql = commands.add_parser(
        "sql",
        help="one SQL statement",
        epilog='example: hyp query sql "select count(*) from ai_gateway_messages"',
    )
    sql.add_argument("statement", help="the statement, or - to read it from stdin")
    form = sql.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="an array of objects, one a line")
    form.add_argument("--csv", action="store_true", help="comma-separated, with a header")
    form.add_argument("--parquet", metavar="FILE", help="write a Parquet file")
    sql.add_argument("--force", action="store_true", help="replace the Parquet file")
    sql.add_argument("--limit", type=_count, metavar="N", help="at most so many rows; 0: all")

    for name, told, example in (
        ("schema", "the columns and what they mean", "hyp query schema --json"),
        ("datasets", "what there is, and how much", "hyp query datasets"),
        ("overview", "tokens by model and day, sessions, tools", "hyp query overview --since 7d"),
    ):
        command = commands.add_parser(name, help=told, epilog=f"example: {example}")
        command.add_argument("--json", action="store_true", help="print it as JSON")
        if name == "overview":
            command.add_argument("--since", help="30m, 1h, 2d or an ISO time; by default all")
    for name, command in commands.choices.items():
        if name != "schema":
            command.add_argument(
                "--timeout", type=_seconds, default=60.0, metavar="S",
                help="how long it may take (60)",
            )  # fmt: skip
            command.add_argument(
                "--catalog", metavar="FILE",
                help="ask the catalogue that this TOML file describes with pyiceberg's properties",
            )  # fmt: skip
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expects a number from 0 on (got {text})")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"expects a number of seconds (got {text})")
    return seconds


def _lake(options: argparse.Namespace, environ: Mapping[str, str]) -> Lake:
    home = HypHome.from_environ(environ)
    if options.catalog is None:
        return Lake.of(home)
    from pathlib import Path

    return Lake.described_by(Path(options.catalog), home.lake_dir)


def _sql(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    statement = sys.stdin.read() if options.statement == "-" else options.statement
    if not statement.strip():
        raise UsageError("the statement is empty")
    # Only here: a wrong argument should be told at once, and these take half a second to load.
    from hypactors.sql import query, save_parquet

    lake = _lake(options, environ)
    if options.parquet is not None:
        from pathlib import Path

        path = Path(options.parquet)
        rows = save_parquet(
            lake, statement, path, is_replacing=options.force, timeout_s=options.timeout
        )
        sys.stderr.write(f"hyp query: {rows} row{'' if rows == 1 else 's'} in {path}\n")
        return
    from hypactors.cli._query_output import csv_lines, json_lines, table_lines

    result = query(lake, statement, timeout_s=options.timeout)
    if not result.has_table:
        _say_nothing_is_there()
    limit = options.limit
    is_for_person = not (options.json or options.csv)
    if limit is None and is_for_person and sys.stdout.isatty():
        limit = TERMINAL_ROWS
    lines = json_lines if options.json else csv_lines if options.csv else table_lines
    rows_left = iter(result.rows)
    _print(lines(result.columns, islice(rows_left, limit) if limit else rows_left))
    if limit and next(rows_left, None) is not None:
        sys.stderr.write(f"hyp query: there is more than {limit} rows; --limit 0 shows all\n")


def _schema(options: argparse.Namespace, _environ: Mapping[str, str]) -> None:
    from hypactors.sql import columns

    found = columns()
    if options.json:
        _print_json({"table": "ai_gateway_messages", "columns": list(map(_plain, found))})
        return
    width = max(len(column.name) for column in found)
    _print(["ai_gateway_messages"])
    _print(f"  {each.name:<{width}}  {each.type:<11}  {each.meaning}" for each in found)


def _datasets(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    from hypactors.cli._overview_text import dataset_lines
    from hypactors.sql import datasets

    found = datasets(_lake(options, environ), timeout_s=options.timeout)
    if options.json:
        _print_json({"datasets": list(map(_plain, found))})
    else:
        _print(dataset_lines(found))


def _overview(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    since = _since(options.since)
    from hypactors.sql import overview

    found = overview(_lake(options, environ), since=since, timeout_s=options.timeout)
    if options.json:
        _print_json(_plain(found))
        return
    import shutil

    from hypactors.cli._overview_text import overview_lines

    if not found.rows:
        _say_nothing_is_there()
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    _print(overview_lines(found, shutil.get_terminal_size().columns, encoding))


def _since(text: str | None) -> str | None:
    if text is None:
        return None
    from datetime import UTC, datetime

    from hypactors.logs import parse_since

    try:
        return parse_since(text, datetime.now(UTC))
    except ValueError as error:
        raise UsageError(f"--since {error}") from None


def _say_nothing_is_there() -> None:
    sys.stderr.write(
        "hyp query: nothing was imported yet, so ai_gateway_messages is empty; "
        "'hyp backfill' imports\n"
    )


def _plain(value: object) -> object:
    import dataclasses

    return dataclasses.asdict(value)  # type: ignore[call-overload]


def _print_json(value: object) -> None:
    import json

    _print([json.dumps(value, indent=2, ensure_ascii=False)])


def _print(lines: Iterable[str]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal's encoding cannot show must not end the output.
        sys.stdout.reconfigure(errors="replace")
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


_COMMANDS = {"sql": _sql, "schema": _schema, "datasets": _datasets, "overview": _overview}
