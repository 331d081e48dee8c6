"""``hyp logs``: what the daemon and its children said, by time (contract §10)."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypactors import logs
from hypactors.cli._parser import Parser
from hypactors.cli._style import is_coloured, styled
from hypactors.cli._suggestion import no_such
from hypactors.errors import UsageError
from hypactors.paths import HypHome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from hypactors.logs import LogLine, Wanted

DEFAULT_LINES = 200
MOST_LINES = 10_000
"""Of what was asked for by time or by run."""

_LOOK_S = 0.25
_EXAMPLES = {
    "hyp logs --since 1h --level warn": "what went wrong in the last hour",
    "hyp logs --follow --event 'client_action.*'": "",
    "hyp logs --run 20261125T101500Z-a1b2c3": "the whole story of one run",
    "hyp logs events": "every event, and what it means",
}


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print lines. Exit 0, also when there are none; 2 for arguments that make no sense."""
    if argv and argv[0] == "events":
        return _print_events(argv[1:])
    if argv and not argv[0].startswith("-"):
        raise UsageError(no_such("command", argv[0], ["events"], of="hyp logs"))
    options = _parser().parse_args(argv)
    try:
        wanted = _wanted(options)
    except ValueError as error:
        raise UsageError(str(error)) from None
    files = logs.LogFiles(HypHome.from_environ(environ))
    show = _printer(environ, as_json=options.json)
    follower = logs.Follower(files)
    try:
        _print_past(files, follower, wanted, options, show)
        while options.follow:
            time.sleep(_LOOK_S)
            show(filter(wanted.keeps, follower.look()))
    finally:
        follower.close()
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="hyp logs",
        description="What the daemon and its children logged, merged by time.",
        examples=_EXAMPLES,
    )
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what is added")
    parser.add_argument("--since", help="30m, 1h, 2d or an ISO time")
    parser.add_argument("--level", help="this level and above: debug, info, warn, error, critical")
    parser.add_argument("--event", action="append", default=[], help="a name, or a pattern with *")
    parser.add_argument("--actor", help="of one actor, or of a kind: backfill, forward")
    parser.add_argument("--provider", help="of one provider")
    parser.add_argument("--run", help="of one run, or of one life of the daemon")
    parser.add_argument("--lines", "-n", type=int, help=f"at most so many ({DEFAULT_LINES})")
    parser.add_argument("--json", action="store_true", help="the lines as they were written")
    return parser


def _wanted(options: argparse.Namespace) -> Wanted:
    if options.lines is not None and options.lines < 0:
        raise ValueError(f"--lines expects a number from 0 on (got {options.lines})")
    try:
        since = options.since and logs.parse_since(options.since, datetime.now(UTC))
    except ValueError as error:
        raise ValueError(f"--since {error}") from None
    try:
        level = logs.parse_level(options.level) if options.level else 0
    except ValueError as error:
        raise ValueError(f"--level {error}") from None
    return logs.Wanted(
        since=since,
        least_level=level,
        events=tuple(options.event),
        actor=options.actor,
        provider=options.provider,
        run=options.run,
    )


def _print_past(
    files: logs.LogFiles,
    follower: logs.Follower,
    wanted: Wanted,
    options: argparse.Namespace,
    show: _Show,
) -> None:
    streams = files.streams()
    if wanted.run is not None:
        own = logs.newest(streams, follower.begins, wanted, MOST_LINES)
        passes = {line.text("pass_id") for line in own} - {None}
        wanted = replace(wanted, passes=frozenset(filter(None, passes)))
    most = options.lines
    if most is None:
        is_bounded = wanted.since is not None or wanted.run is not None
        most = MOST_LINES if is_bounded else DEFAULT_LINES
    found = logs.newest(streams, follower.begins, wanted, most + 1)
    if len(found) > most:
        found = found[1:]
        if options.lines is None and most == MOST_LINES:
            sys.stderr.write(f"hyp logs: only the last {most} lines; --lines N shows more\n")
    show(found)
    if not found and not options.follow:
        sys.stderr.write("hyp logs: nothing that was asked for was logged\n")


class _Show:
    """Writes lines, as they are or for a person."""

    def __init__(self, environ: Mapping[str, str], *, as_json: bool) -> None:
        self._as_json = as_json
        on = is_coloured(sys.stdout, environ)
        self._styled = lambda text, style: styled(text, style, on=on)

    def __call__(self, lines: Iterable[LogLine]) -> None:
        for line in lines:
            if self._as_json:
                sys.stdout.write(f"{line.raw.decode('utf-8', 'replace')}\n")
            else:
                sys.stdout.write(f"{logs.render(line, self._styled)}\n")
        sys.stdout.flush()


def _printer(environ: Mapping[str, str], *, as_json: bool) -> _Show:
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # What a terminal's encoding cannot show must not end the output.
        reconfigure(errors="replace")
    return _Show(environ, as_json=as_json)


def _print_events(argv: Sequence[str]) -> int:
    from hypactors.logs._catalogue import CATALOGUE

    parser = Parser(
        prog="hyp logs events",
        description="Every event that is logged, with its fields and what it means.",
        examples={"hyp logs events": "", "hyp logs events --json": "for a program"},
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    options = parser.parse_args(argv)
    if options.json:
        events = [event._asdict() for event in CATALOGUE]
        sys.stdout.write(f"{json.dumps({'events': events}, indent=2)}\n")
        return 0
    for event in CATALOGUE:
        sys.stdout.write(f"{event.name}  [{', '.join(event.levels)}]\n    {event.meaning}\n")
        if event.fields:
            sys.stdout.write(f"    fields: {', '.join(event.fields)}\n")
    return 0
