"""``hyp join``: enrol this machine with a server. It writes a seed; the daemon does the rest."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.central import fleet_of, seed_document, url_fault, write_seed
from hypactors.cli._daemon_service import install, service_of
from hypactors.cli._membership import change_seed, why
from hypactors.cli._parser import Parser
from hypactors.clock import SystemClock
from hypactors.config import BUILT_IN_SECTIONS, DocumentError, parse_document, validate_document
from hypactors.errors import HypError, UsageError
from hypactors.forward import (
    Fleets,
    ForeignRows,
    describe_until,
    local_now,
    write_first_sync_hold,
)
from hypactors.lake import cache_end
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NOTES = """\
the token comes from --token-file, from stdin, or is an argument, which other
users of this machine may see"""
_EXAMPLES = {
    "hyp join https://hyp.example.com/ --token-file token.txt": "",
    "get-token | hyp join https://hyp.example.com/": "",
    "hyp join https://hyp.example.com/ TOKEN": "",
}


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Join. Exit 2: the command line is wrong; 1: it could not be done."""
    options = _parser().parse_args(argv)
    url = _url(options.url)
    token = _token(options)
    home = HypHome.from_environ(environ)
    seed = seed_document(url, token)
    _check(seed)
    try:
        return _join(home, environ, url, seed, options)
    except OSError as error:
        raise HypError(f"{error.filename or home.root}: {why(error)}; nothing is joined") from error


def _parser() -> Parser:
    parser = Parser(
        prog="hyp join",
        description="Enrol this machine with a central server.",
        notes=_NOTES,
        examples=_EXAMPLES,
    )
    parser.add_argument("url", nargs="?", help="the address of the server")
    parser.add_argument("token", nargs="?", help="the token to enrol with; '-' reads stdin")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="read the token from here")
    parser.add_argument(
        "--no-daemon", action="store_true", help="do not install the daemon as a service"
    )
    parser.add_argument(
        "--no-hold",
        action="store_true",
        help="send history at once, not from the end of this day on",
    )
    return parser


def _url(url: str | None) -> str:
    if not url:
        raise UsageError("missing <url>: the address of the central server; see 'hyp join --help'")
    fault = url_fault(url)
    if fault is not None:
        raise UsageError(f"{url!r} {fault}")
    return url


def _token(options: Any) -> str:
    """Return the token of the one source that was named. It never gets into a message."""
    if options.token is not None and options.token_file is not None:
        raise UsageError("give the token as an argument or with --token-file, not both")
    if options.token_file is not None:
        try:
            text = options.token_file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = why(error) if isinstance(error, OSError) else "it is no text"
            raise HypError(
                f"--token-file: {options.token_file} cannot be read ({reason})"
            ) from error
    elif options.token in {None, "-"}:
        if sys.stdin.isatty() and options.token is None:
            raise UsageError("no token given; see 'hyp join --help' for the ways to give it")
        text = sys.stdin.read()
    else:
        text = options.token
        sys.stderr.write(
            "hyp join: other users of this machine can see a token that is an argument;"
            " --token-file or stdin keep it from them\n"
        )
    token: str = text.strip()
    if not token:
        raise UsageError("the token is empty")
    return token


def _check(seed: bytes) -> None:
    """Make sure that a daemon will take the seed."""
    try:
        errors = validate_document(parse_document(seed), sections=BUILT_IN_SECTIONS)
    except DocumentError as error:
        [first, *_] = error.errors
        raise HypError(f"[{error.kind}] {first.pointer}: {first.message}") from error
    if errors:
        raise HypError(f"[{errors[0].kind}] {errors[0].pointer}: {errors[0].message}")


def _join(home: HypHome, environ: Mapping[str, str], url: str, seed: bytes, options: Any) -> int:
    # What holds rows back comes first: from the moment that the seed is there they may leave.
    foreign = _hold_foreign_rows(home, fleet_of(url))
    hold = None if options.no_hold else write_first_sync_hold(home, local_now(), os.getpid())
    superseded, has_daemon = change_seed(home, lambda: write_seed(home, seed))
    _print(f"wrote {home.seed_file}")
    if superseded:
        _print("superseded the config of an earlier join; the new server's is pulled next")
    if hold is not None:
        until = describe_until(hold.until)
        _print(f"no history leaves this machine before {until}; 'hyp sync' shows what will")
    if foreign:
        _print("rows from before this join stay here until you let them go with 'hyp sync'")
    if has_daemon:
        _print(f"joined {url}; the daemon that runs enrols now ('hyp status' shows how it goes)")
        return 0
    if options.no_daemon:
        _print("daemon install skipped; 'hyp daemon --actors' runs it here")
        return 0
    code = install(service_of(environ), only_print=False)
    if code == 0:
        _print(f"joined {url}; 'hyp status' shows how it goes")
    else:
        _print("the machine is ready to enrol; 'hyp daemon --actors' does it here, as no service")
    return code


def _hold_foreign_rows(home: HypHome, fleet: str) -> bool:
    """Note the join; hold the rows that are there from a time in another fleet (contract §9)."""
    fleets = Fleets(home)
    before = fleets.last_joined()
    foreign = None
    if before is not None and before != fleet:
        end = cache_end(home.lake_dir)
        if end is not None and end.seq:
            foreign = ForeignRows(fleet, end.cache_id, end.seq)
    fleets.joined(fleet, foreign, SystemClock().now())
    return foreign is not None


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
