"""``hyp query sql``: ask the local cache (contract §8)."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from hypactors.errors import HypError, UsageError
from hypactors.lake import Lake
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE = 'usage: hyp query sql "<select ...>" [--json]'


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the rows of one statement. Exit 1 when it cannot run, 2 for wrong arguments."""
    if "--help" in argv or "-h" in argv:
        sys.stdout.write(f"{USAGE}\n")
        return 0
    try:
        sql, as_json = _parse(argv)
        _run(sql, environ, as_json=as_json)
    except UsageError as error:
        sys.stderr.write(f"hyp query: {error}\n")
        return 2
    except HypError as error:
        sys.stderr.write(f"hyp query: {error}\n")
        return 1
    return 0


def _parse(argv: Sequence[str]) -> tuple[str, bool]:
    words = [word for word in argv if word != "--json"]
    # A statement may begin with a comment, which looks like a flag.
    flag = next((word for word in words if word.startswith("-") and not word[2:3].isspace()), None)
    if flag is not None:
        raise UsageError(f"unknown option {flag!r}; {USAGE}")
    if len(words) != 2 or words[0] != "sql" or not words[1].strip():  # noqa: PLR2004
        raise UsageError(USAGE)
    return words[1], "--json" in argv


def _run(sql: str, environ: Mapping[str, str], *, as_json: bool) -> None:
    # Only here: a wrong argument should be told at once, and these take half a second to load.
    from hypactors.cli._query_output import json_lines, table_lines
    from hypactors.sql import query

    result = query(Lake.of(HypHome.from_environ(environ)), sql)
    if not result.has_table:
        sys.stderr.write(
            "hyp query: nothing was imported yet, so ai_gateway_messages is empty; "
            "'hyp backfill' imports\n"
        )
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal's encoding cannot show must not end the output.
        sys.stdout.reconfigure(errors="replace")
    lines = json_lines if as_json else table_lines
    for line in lines(result.columns, result.rows):
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
