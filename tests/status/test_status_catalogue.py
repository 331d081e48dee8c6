"""What the status says of a cache that is a catalogue of others, too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypactors.cli._standing import next_steps, standing
from hypactors.status import render_text

if TYPE_CHECKING:
    from tests.status.conftest import Machine

CATALOG = {"type": "sql", "uri": "postgresql://me:canary@db/lake"}


def test_it_is_named_and_not_measured(machine: Machine) -> None:
    (machine.home.lake_dir / "month=2026-05").mkdir(parents=True)
    (machine.home.lake_dir / "month=2026-05" / "one").write_bytes(b"x")
    machine.configure(query={"cache": {"catalog": CATALOG}})
    report = machine.report()
    cache = report["cache"]
    assert (cache["catalog"], cache["size_bytes"]) == ("postgresql://db/lake", None)
    assert cache["oldest_partition_date"] is None
    text = render_text(report)
    assert "  cache:           the catalogue postgresql://db/lake, which others share\n" in text
    assert "cache size" not in text
    assert "stays on this machine" not in text
    assert "canary" not in json.dumps(report) + text


def test_a_machine_that_writes_elsewhere_is_not_called_empty(machine: Machine) -> None:
    machine.configure(query={"cache": {"catalog": CATALOG}})
    report = machine.report()
    assert "; its history goes to the catalogue postgresql://db/lake." in standing(report)[1]
    assert "hyp query overview" in dict(next_steps(report))
