"""``hyp sync``: what would leave this machine for the server, and the word that lets it go."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypactors.cli._forwarding import (
    MessagesSource,
    find_sinks,
    pick_sink,
    rows_elsewhere,
    run_export,
)
from hypactors.cli._parser import Parser
from hypactors.cli.forward import Progress, in_words, megabytes
from hypactors.clock import SystemClock
from hypactors.errors import ExportBusyError
from hypactors.forward import (
    Fleets,
    Marks,
    describe_until,
    read_first_sync_hold,
    release_hold,
)
from hypactors.paths import HypHome
from hypactors.status import clean
from hypactors.usage_policy import UsagePolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypactors.central import CentralSink

_BUSY = 6
_SHOWN = 12


@dataclass
class Outgoing:
    """What would leave: counts of rows by what a person knows them by."""

    rows: int = 0
    size: int = 0
    withheld: int = 0
    by_client: Counter[str] = field(default_factory=Counter)
    by_folder: Counter[str] = field(default_factory=Counter)
    by_day: Counter[str] = field(default_factory=Counter)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Show what would leave; with ``--yes``, or a yes on the terminal, send it."""
    parser = Parser(
        prog="hyp sync",
        description="Show what would leave this machine, and send it.",
        examples={"hyp sync": "look, and be asked", "hyp sync --yes": "send without being asked"},
    )
    parser.add_argument("sink", nargs="?", help="the name of a central sink, if there are several")
    parser.add_argument("--yes", action="store_true", help="send without asking")
    options = parser.parse_args(argv)
    home = HypHome.from_environ(environ)
    sink = pick_sink(find_sinks(home, environ), options.sink)
    elsewhere = rows_elsewhere(home, environ)
    if elsewhere is not None:
        sys.stderr.write(f"hyp sync: {elsewhere}\n")
    source = MessagesSource(home)
    fleets = Fleets(home)
    foreign_through = fleets.held(sink.fleet, source.cache_id) if source.cache_id else 0
    outgoing = _look(home, source, sink)
    _show(outgoing, sink)
    hold = read_first_sync_hold(home, SystemClock().now())
    if hold is not None:
        _print(f"held until {describe_until(hold.until)}, the end of the first day after the join")
    if foreign_through:
        _print("rows from before this machine joined this fleet are among them, and are held")
    if not outgoing.rows and hold is None and not foreign_through:
        return 0
    if not options.yes and not _agree():
        _print("nothing was sent")
        return 0
    release_hold(home)
    if fleets.release(sink.fleet, SystemClock().now()) and source.cache_id:
        _marks(home, source, sink).forget(source.cache_id)
    return _send(home, environ, sink)


def _marks(home: HypHome, source: MessagesSource, sink: CentralSink) -> Marks:
    return Marks(home, sink=sink.name, dataset=source.dataset, fleet=sink.fleet)


def _look(home: HypHome, source: MessagesSource, sink: CentralSink) -> Outgoing:
    """Count what has not been sent to this fleet, with what is held."""
    outgoing = Outgoing()
    if source.cache_id is None:
        return outgoing
    policy = UsagePolicy.load(home)
    mark = _marks(home, source, sink).read(source.cache_id)
    held = Fleets(home).held(sink.fleet, source.cache_id)
    after = 0 if held or mark is None else mark.seq
    for row in source.rows(after):
        if held < row.seq <= (mark.seq if mark else 0):
            continue  # sent already
        if policy.is_withheld(row.cwd):
            outgoing.withheld += 1
            continue
        outgoing.rows += 1
        outgoing.size += len(row.line) + 1
        outgoing.by_client[row.client] += 1
        outgoing.by_folder[row.cwd or "(no folder)"] += 1
        outgoing.by_day[row.day] += 1
    return outgoing


def _show(outgoing: Outgoing, sink: CentralSink) -> None:
    if not outgoing.rows:
        _print(f"nothing new for {sink.url}")
    else:
        _print(f"{outgoing.rows} rows, about {megabytes(outgoing.size)}, would go to {sink.url}")
        for title, counts in (
            ("by client", outgoing.by_client.most_common()),
            ("by folder", outgoing.by_folder.most_common()),
            ("by day", sorted(outgoing.by_day.items(), reverse=True)),
        ):
            _print(f"  {title}:")
            for name, count in counts[:_SHOWN]:
                _print(f"    {count:>9}  {clean(name)}")
            if len(counts) > _SHOWN:
                rest = sum(count for _, count in counts[_SHOWN:])
                _print(f"    {rest:>9}  in {len(counts) - _SHOWN} more")
    if outgoing.withheld:
        _print(f"{outgoing.withheld} rows stay on this machine, as their folders are local-only")


def _agree() -> bool:
    if not sys.stdin.isatty():
        _print("say --yes to send it")
        return False
    sys.stdout.write("send it now? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _send(home: HypHome, environ: Mapping[str, str], sink: CentralSink) -> int:
    progress = Progress(is_shown=sys.stderr.isatty())
    began = time.monotonic()
    try:
        exported = run_export(home, environ, sink, on_sent=progress.show)
    except ExportBusyError:
        _print("the daemon is sending it right now")
        return _BUSY
    finally:
        progress.clear()
    _print(in_words(exported, time.monotonic() - began))
    return 0 if exported.status == "exported" else 1


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
