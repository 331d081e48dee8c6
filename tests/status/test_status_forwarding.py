"""What each sink was sent, is behind, and is held: from a real cache, of which no row is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cache import MessageWriter
from hypactors.clock import SystemClock
from hypactors.forward import Fleets, ForeignRows, Mark, Marks, write_first_sync_hold
from hypactors.lake import Lake, cache_end
from hypactors.status import render_text
from tests.cli.test_cli_forward import rows

if TYPE_CHECKING:
    from tests.status.conftest import Machine

CENTRAL = "@hypaware/central"
FLEET = "http://127.0.0.1:9"
DATASET = "ai_gateway_messages"


@pytest.fixture
def joined(machine: Machine) -> Machine:
    sink = {"plugin": CENTRAL, "config": {"url": FLEET, "identity": {}}}
    machine.configure({"name": CENTRAL}, sinks={"central": sink})
    return machine


def forwarding(machine: Machine) -> dict[str, Any]:
    [row] = machine.report()["forwarding"]
    assert isinstance(row, dict)
    return row


def waiting(machine: Machine) -> tuple[int | None, int | None]:
    row = forwarding(machine)
    return row["behind"], row["held"]


def fill(machine: Machine) -> str:
    """Put four rows into the cache; return its id."""
    MessageWriter(Lake.of(machine.home), run_id="r").commit(rows("a", "b", "c", "d"))
    end = cache_end(machine.home.lake_dir)
    assert end is not None
    return end.cache_id


def test_a_sink_is_behind_by_what_came_in_since_its_mark(joined: Machine) -> None:
    assert waiting(joined) == (0, 0), "nothing was ever imported"
    cache_id = fill(joined)
    assert waiting(joined) == (4, 0)
    marks = Marks(joined.home, sink="central", dataset=DATASET, fleet=FLEET)
    marks.write(cache_id, Mark(3, rows=3), SystemClock().now())
    assert waiting(joined) == (1, 0)
    assert "- central  [never]  (0 rows sent, 1 behind)" in render_text(joined.report())


def test_what_a_hold_keeps_is_held_and_not_behind(joined: Machine) -> None:
    """status 30: the hold of the first day, and rows of another fleet."""
    now = SystemClock().now()
    cache_id = fill(joined)
    Fleets(joined.home).joined(FLEET, ForeignRows(FLEET, cache_id, 3), now)
    assert waiting(joined) == (1, 3)
    text = "(0 rows sent, 1 behind, 3 held for 'hyp sync')"
    assert text in render_text(joined.report())
    write_first_sync_hold(joined.home, now.replace(year=2999), pid=1)
    assert waiting(joined) == (0, 4)


def test_a_cache_that_cannot_be_read_leaves_it_unknown(joined: Machine) -> None:
    """status §1: null is an answer, and a number that is not known is none."""
    joined.home.lake_dir.mkdir(parents=True)
    (joined.home.lake_dir / "catalog.db").write_bytes(b"no database at all" * 100)
    assert waiting(joined) == (None, None)
    assert "how many wait is unknown just now" in render_text(joined.report())


def test_a_daemon_that_does_not_tell_is_not_made_to() -> None:
    text = render_text({"forwarding": [{"sink": "central", "status": "exported", "rows": 7}]})
    assert "- central  [exported]  (7 rows sent)" in text
