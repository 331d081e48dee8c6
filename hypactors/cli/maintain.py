"""``hyp maintain``: keep the cache small. The daemon runs it now and then."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from hypactors.central import central_sinks
from hypactors.cli._parser import Parser
from hypactors.clock import SystemClock
from hypactors.config import resolve_layers, retention_days
from hypactors.dataset import DATASET
from hypactors.errors import ConfigError
from hypactors.forward import Marks
from hypactors.lake import Lake, cache_id
from hypactors.paths import HypHome
from hypactors.processes import ImportLock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypactors.config import Layers

_BUSY = 6


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Remove what is past its time, and tidy up. Exit 6: somebody else is at it."""
    parser = Parser(
        prog="hyp maintain",
        description="Remove old rows from the cache (query.cache.retention) and merge small files.",
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    options = parser.parse_args(argv)
    home = HypHome.from_environ(environ)
    layers = resolve_layers(home, environ)
    lock = ImportLock.inherited_or_taken(home.maintenance_runs / "lock", environ)
    if lock is None:
        sys.stderr.write("hyp maintain: it is being done already\n")
        return _BUSY
    with lock:
        from hypactors.cache import maintain
        from hypactors.importing import be_frugal

        be_frugal()
        now = SystemClock().now()
        days = retention_days(layers.local, DATASET)
        try:
            cutoff_ms = int((now - timedelta(days=days)).timestamp() * 1000) if days > 0 else None
        except OverflowError:
            cutoff_ms = None  # further back than there are dates
        done = maintain(
            Lake.of(home), cutoff_ms=cutoff_ms, sent_seq=sent_seq(home, layers), now=now
        )
    if options.json:
        sys.stdout.write(f"{json.dumps(dataclasses.asdict(done))}\n")
        return 0
    sys.stdout.write(
        f"{done.rows_removed} rows older than {days:g} days removed, "
        f"{done.files_merged} files merged away, {done.files_deleted} old files deleted\n"
    )
    if done.rows_held_back:
        sys.stdout.write(f"{done.rows_held_back} old rows stay until they are sent\n")
    for reason in done.left:
        sys.stdout.write(f"{reason}\n")
    return 0


def sent_seq(home: HypHome, layers: Layers) -> int | None:
    """Return up to which row every server has all; None when there is none to send to.

    Raises ``ConfigError`` when that cannot be told: then nothing may be removed.
    """
    if layers.effective is None:
        if not layers.is_joined and not layers.problems:
            return None
        reasons = [problem.message for problem in layers.problems]
        raise ConfigError(reasons[0] if reasons else "the config cannot be read")
    table = cache_id(home.lake_dir)
    sinks = central_sinks(layers.effective, home)
    if table is None or not sinks:
        return None
    marks = (
        Marks(home, sink=sink.name, dataset=DATASET, fleet=sink.fleet).read(table) for sink in sinks
    )
    return min(0 if mark is None else mark.seq for mark in marks)
