"""``hyp query datasets``: what there is in the cache."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hypactors.cli._cells import fitted, table
from hypactors.cli._parser import Parser
from hypactors.cli._query_options import add_common, lake_of, print_json
from hypactors.sql import datasets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEADER = ("dataset", "rows", "sessions", "files", "MB", "first", "last")
_NUMERIC = (False, True, True, True, True, False, False)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the datasets and their parts by client. Raises ``HypError``."""
    parser = Parser(
        prog="hyp query datasets",
        description="What there is in the cache: rows, files, bytes, from when until when.",
        examples={"hyp query datasets": "", "hyp query datasets --json": "for a program"},
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    add_common(parser)
    options = parser.parse_args(argv)
    found = datasets(lake_of(options, environ), timeout_s=options.timeout)
    if options.json:
        print_json({"datasets": found})
        return 0
    if not found:
        sys.stderr.write("hyp query: nothing was imported yet; 'hyp backfill' imports\n")
        return 0
    rows: list[tuple[str, ...]] = []
    for each in found:
        size = "elsewhere" if each.bytes is None else f"{each.bytes / 1e6:.1f}"
        files = "" if each.files is None else f"{each.files:,}"
        counts = (f"{each.rows:,}", f"{each.sessions:,}", files, size)
        rows.append((each.name, *counts, _minute(each.first_at), _minute(each.last_at)))
        for part in each.clients:
            name = fitted(f"  {part.client or 'no client'}")
            counts = (f"{part.rows:,}", f"{part.sessions:,}", "", "")
            rows.append((name, *counts, _minute(part.first_at), _minute(part.last_at)))
    for line in table(_HEADER, rows, _NUMERIC):
        sys.stdout.write(f"{line}\n")
    return 0


def _minute(moment: str | None) -> str:
    return "" if moment is None else f"{moment[:10]} {moment[11:16]}Z"
