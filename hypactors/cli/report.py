"""``hyp report``: the overview, the imports and the state of this machine as one HTML file."""

from __future__ import annotations

import sys
import webbrowser
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hypactors import __version__
from hypactors.cli._parser import Parser
from hypactors.cli._since import since_option
from hypactors.clock import iso_ms
from hypactors.errors import HypError
from hypactors.files import ensure_private_dir, write_atomic
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Write the page and print where it is. Exit 1 when it could not be written or opened."""
    home = HypHome.from_environ(environ)
    parser = Parser(
        prog="hyp report",
        description="Write one HTML file that opens offline: tokens, sessions, tools, imports.",
        examples={
            "hyp report --since 30d --open": "the last month, in the browser",
            "hyp report -o agents.html": "a file to give to somebody",
        },
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where it goes; else report.html in the home"
    )
    parser.add_argument("--since", help="30d, 12h or an ISO time; without it, everything there is")
    options = parser.parse_args(argv)
    since = since_option(options.since)
    target = Path(options.output).absolute() if options.output else home.report_file
    _write(target, _page(home, environ, since), is_ours=not options.output)
    sys.stdout.write(f"{target}\n")
    if options.open and not webbrowser.open(target.as_uri()):
        raise HypError(f"no browser could be started; open {target} yourself")
    return 0


def _page(home: HypHome, environ: Mapping[str, str], since: datetime | None) -> bytes:
    # Only now: a wrong argument should be told at once, and these take a while to load.
    from hypactors.cli._query_options import lake_of_machine
    from hypactors.cli.status import report_of
    from hypactors.report import read_history, render_page
    from hypactors.sql import overview

    return render_page(
        overview(lake_of_machine(home, environ), since),
        read_history(home),
        report_of(home, environ),
        made_at=iso_ms(datetime.now(UTC)),
        version=__version__,
    )


def _write(target: Path, page: bytes, *, is_ours: bool) -> None:
    if target.is_dir():
        raise HypError(f"{target} is a folder; name a file in it")
    try:
        if is_ours:
            ensure_private_dir(target.parent)
        write_atomic(target, page)
    except OSError as error:
        raise HypError(f"{target} cannot be written: {error.strerror or error}") from error
