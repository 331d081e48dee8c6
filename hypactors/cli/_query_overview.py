"""``hyp query overview``: tokens, sessions, tools and repositories at a glance."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from hypactors.cli._overview_text import overview_lines
from hypactors.cli._parser import Parser
from hypactors.cli._query_options import add_common, lake_of, print_json
from hypactors.cli._since import since_option
from hypactors.cli._style import is_coloured
from hypactors.sql import overview

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BLOCKS = "█▏…"


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the overview. Raises ``HypError`` when the cache cannot be read."""
    parser = Parser(
        prog="hyp query overview",
        description="Tokens by model and day, sessions, tools and repositories.",
        examples={
            "hyp query overview": "since the beginning",
            "hyp query overview --since 30d": "the last month",
        },
    )
    parser.add_argument("--since", help="30d, 12h or an ISO time; without it, everything there is")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_common(parser)
    options = parser.parse_args(argv)
    since = since_option(options.since)
    found = overview(lake_of(options, environ), since, timeout_s=options.timeout)
    if options.json:
        print_json(found)
        return 0
    if not found.has_table:
        sys.stderr.write("hyp query: nothing was imported yet; 'hyp backfill' imports\n")
        return 0
    lines = overview_lines(
        found,
        columns=shutil.get_terminal_size().columns,
        blocks=_can_show(_BLOCKS),
        coloured=is_coloured(sys.stdout, environ),
    )
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
