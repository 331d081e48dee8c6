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
from hypactors.config import lake_of, resolve_layers, retention_days
from hypactors.dataset import DATASET
from hypactors.errors import HypError
from hypactors.forward import Marks
from hypactors.lake import Lake, cache_id
from hypactors.paths import HypHome
from hypactors.processes import ImportLock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from hypactors.cache import Maintained
    from hypactors.config import ConfigDocument, Layers

_BUSY = 6


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Remove what is past its time, and tidy up. Exit 6: somebody else is at it."""
    parser = Parser(
        prog="hyp maintain",
        description="Remove old rows from the cache (query.cache.retention), merge small files.\n"
        "A catalogue that others share is not touched.",
        examples={"hyp maintain": "", "hyp maintain --json": "what was done, for a program"},
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    options = parser.parse_args(argv)
    home = HypHome.from_environ(environ)
    lock = ImportLock.inherited_or_taken(home.maintenance_runs / "lock", environ)
    if lock is None:
        sys.stderr.write("hyp maintain: it is being done already\n")
        return _BUSY
    with lock:
        done = _maintain(home, environ, SystemClock().now())
    if options.json:
        sys.stdout.write(f"{json.dumps(dataclasses.asdict(done))}\n")
    else:
        _print(done)
    return 0


def _maintain(home: HypHome, environ: Mapping[str, str], now: datetime) -> Maintained:
    from hypactors.cache import maintain
    from hypactors.importing import be_frugal, forget_before, reason_of

    be_frugal()
    layers = resolve_layers(home, environ)
    doubt = _doubt(layers)
    cutoff_ms = None if doubt else oldest_ms(layers.local, now)
    try:
        # Before they go: who is killed in between must not leave a claim on rows that are gone.
        if cutoff_ms is not None:
            forget_before(home.checkpoint_dir, cutoff_ms)
        done = maintain(
            Lake.of(home),
            cutoff_ms=cutoff_ms,
            sent_seq=everywhere_seq(layers.effective, home),
            now=now,
        )
    # The outermost edge: whatever a full disk makes of three libraries is told in one line.
    except Exception as error:
        raise HypError(reason_of(error)) from error
    if doubt:
        done.left.append(f"no rows were removed: {doubt}")
    lake = lake_of(home, layers.local)
    if lake.is_shared:
        done.left.append(f"the catalogue {lake} is shared: whoever keeps it looks after it")
    return done


def _doubt(layers: Layers) -> str | None:
    """Say why it cannot be told which rows may go.

    A config that cannot be read may say to keep them longer, or to send them first.
    """
    if layers.problems:
        return layers.problems[0].message
    is_waiting = layers.is_joined and layers.effective is None
    return "this machine has joined, and waits for its config" if is_waiting else None


def _print(done: Maintained) -> None:
    sys.stdout.write(
        f"{done.rows_removed} old rows removed, {done.files_merged} files merged away, "
        f"{done.files_deleted} old files deleted\n"
    )
    if done.rows_held_back:
        sys.stdout.write(f"{done.rows_held_back} old rows stay until they are sent\n")
    for reason in done.left:
        sys.stdout.write(f"{reason}\n")


def oldest_ms(config: ConfigDocument | None, now: datetime) -> int | None:
    """Return the time of the oldest rows that retention keeps; None when it keeps all."""
    days = retention_days(config, DATASET)
    try:
        return int((now - timedelta(days=days)).timestamp() * 1000) if days > 0 else None
    except OverflowError:  # further back than there are dates
        return None


def everywhere_seq(config: ConfigDocument | None, home: HypHome) -> int | None:
    """Return up to which row every server has all; None when there is none to send to."""
    table = cache_id(Lake.of(home))
    sinks = [] if config is None else central_sinks(config, home)
    if table is None or not sinks:
        return None
    marks = (
        Marks(home, sink=sink.name, dataset=DATASET, fleet=sink.fleet).read(table) for sink in sinks
    )
    return min(0 if mark is None else mark.seq for mark in marks)
