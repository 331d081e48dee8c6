"""The forwarding rows: how each central sink is doing, and what it has yet to be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.central import central_sinks
from hypactors.clock import iso_ms
from hypactors.dataset import DATASET
from hypactors.forward import Fleets, Marks, backlog, read_first_sync_hold, read_sink_status
from hypactors.lake import cache_end

if TYPE_CHECKING:
    from datetime import datetime

    from hypactors.central import CentralSink
    from hypactors.config import ConfigDocument
    from hypactors.forward import Backlog
    from hypactors.lake import CacheEnd
    from hypactors.paths import HypHome
    from hypactors.status._report import ForwardingRow, HoldRow

_PATIENCE_S = 0.1
"""How long to wait for a cache that is being written to; a status is not worth more."""


def hold_row(home: HypHome, now: datetime) -> HoldRow | None:
    hold = read_first_sync_hold(home, now)
    if hold is None:
        return None
    return {"deadline": iso_ms(hold.until), "deadline_ms": int(hold.until.timestamp() * 1000)}


def forwarding_rows(
    home: HypHome, document: ConfigDocument | None, now: datetime
) -> list[ForwardingRow]:
    """Return a row for each central sink, of the fleet that it is in now."""
    sinks = central_sinks(document, home) if document else ()
    if not sinks:
        return []
    is_held = read_first_sync_hold(home, now) is not None
    try:
        end, is_known = cache_end(home.lake_dir, patience_s=_PATIENCE_S), True
    except OSError:
        end, is_known = None, False
    return [
        _row(home, sink, _backlog(home, sink, end, is_held=is_held) if is_known else None)
        for sink in sinks
    ]


def _backlog(home: HypHome, sink: CentralSink, end: CacheEnd | None, *, is_held: bool) -> Backlog:
    if end is None:  # nothing was ever imported
        return backlog(0, mark_seq=0, floor=0, is_held=is_held)
    mark = Marks(home, sink=sink.name, dataset=DATASET, fleet=sink.fleet).read(end.cache_id)
    return backlog(
        end.seq,
        mark_seq=mark.seq if mark else 0,
        floor=Fleets(home).held(sink.fleet, end.cache_id),
        is_held=is_held,
    )


def _row(home: HypHome, sink: CentralSink, waiting: Backlog | None) -> ForwardingRow:
    found = read_sink_status(home, sink.name)
    if found is not None and found.fleet != sink.fleet:
        found = None
    return {
        "sink": sink.name,
        "status": found.status if found else "never",
        "at": found.at if found else None,
        "exported_at": found.exported_at if found else None,
        "rows": found.rows if found else 0,
        "behind": waiting.behind if waiting else None,
        "held": waiting.held if waiting else None,
        "set_aside": found.set_aside if found else 0,
        "withheld": found.withheld if found else 0,
        "failures": found.failures if found else 0,
        "error": found.error if found else None,
    }
