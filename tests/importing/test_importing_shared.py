"""Imports of machines that share a catalogue (contract §8, design: the cache)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from pyiceberg.catalog import load_catalog

from hypactors.clock import parse_iso
from hypactors.errors import HypError, ImportRunError
from hypactors.forward import release_hold, write_first_sync_hold
from hypactors.lake import Lake, cache_id
from hypactors.providers import iso_of
from tests.importing.notebook import NOW_MS, Desk, counters, entry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def desks(tmp_path: Path) -> tuple[Desk, Desk]:
    """Return two machines that know of each other by their catalogue alone."""
    (tmp_path / "warehouse").mkdir()
    one, two = Desk(tmp_path / "one"), Desk(tmp_path / "two")
    for desk in (one, two):
        desk.lake = Lake(
            desk.home.lake_dir,
            {
                "type": "sql",
                "uri": f"sqlite:///{tmp_path / 'shared.db'}",
                "warehouse": str(tmp_path / "warehouse"),
            },
        )
    return one, two


def drop(lake: Lake) -> None:
    load_catalog("hyp", **lake.properties).drop_table("hyp.ai_gateway_messages")


def test_what_another_machine_has_imported_is_not_there_twice(desks: tuple[Desk, Desk]) -> None:
    one, two = desks
    for desk, own in ((one, "1"), (two, "2")):
        desk.write("a", entry("shared", session="x"), entry(own, session=own))
    assert counters(one.run()) == (2, 2, 2)
    assert counters(two.run()) == (2, 1, 1)
    assert one.stored() == two.stored() == ["1", "2", "shared"]
    assert not one.lake.catalog_file.exists()


def test_an_import_of_nothing_new_opens_nothing(desks: tuple[Desk, Desk]) -> None:
    desk, other = desks
    for each in desks:
        each.write("a", entry(str(each.home.root)))
    first = desk.run()
    other.run()
    assert counters(desk.run()) == (1, 0, 0)
    assert desk.opened == []
    assert first.cache_id == cache_id(desk.lake) == cache_id(other.lake)


def test_a_shared_table_that_was_made_anew_is_filled_again(desks: tuple[Desk, Desk]) -> None:
    desk, other = desks
    desk.write("a", entry("1"))
    desk.run()
    drop(desk.lake)
    other.write("b", entry("2"))
    other.run()
    assert counters(desk.run()) == (1, 1, 1)
    assert desk.stored() == ["1", "2"]


def test_what_is_to_stay_on_this_machine_is_not_imported(desks: tuple[Desk, Desk]) -> None:
    """central §4.3: what is in a shared catalogue has left the machine."""
    desk, _ = desks
    private = desk.folder.parent / "private"
    private.mkdir()
    (private / ".hypignore").write_text("local-only\n")
    listed = str(desk.folder.parent / "listed")
    desk.home.usage_policy_dir.mkdir(parents=True)
    desk.home.local_only_file.write_bytes(msgspec.json.encode({"version": 1, "dirs": [listed]}))
    desk.write(
        "a",
        entry("1", session="open"),
        entry("2", session="private", cwd=str(private)),
        entry("3", session="listed", cwd=listed),
    )
    engine = desk.engine()
    engine.count()
    assert engine.imported.items_seen == 1
    assert counters(desk.run()) == (1, 1, 1)
    assert desk.stored() == ["1"]
    (private / ".hypignore").unlink()
    desk.run()
    assert desk.stored() == ["1", "2"], "the file is read again when it may leave"


def test_a_list_that_cannot_be_read_keeps_everything_here(desks: tuple[Desk, Desk]) -> None:
    desk, _ = desks
    desk.home.usage_policy_dir.mkdir(parents=True)
    desk.home.local_only_file.write_text("{")
    desk.write("a", entry("1"))
    with pytest.raises(HypError, match="nothing is sent"):
        desk.run()
    assert desk.stored() == []


def test_nothing_leaves_during_the_hold_of_the_first_day(desks: tuple[Desk, Desk]) -> None:
    """central §4.2."""
    desk, _ = desks
    desk.write("a", entry("1"))
    write_first_sync_hold(desk.home, parse_iso(iso_of(NOW_MS)), pid=1)
    with pytest.raises(ImportRunError, match="'hyp sync' lets it go now"):
        desk.run()
    assert desk.stored() == []
    release_hold(desk.home)
    desk.run()
    assert desk.stored() == ["1"]


def test_a_cache_of_ones_own_knows_no_hold(desk: Desk) -> None:
    desk.write("a", entry("1"))
    write_first_sync_hold(desk.home, parse_iso(iso_of(NOW_MS)), pid=1)
    desk.run()
    assert desk.stored() == ["1"]
