"""A table that machines share: no lock and no file is common to them but those of its catalogue."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NamespaceAlreadyExistsError
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from hypactors.cache import MessageWriter, _writer, export_rows, table_id
from hypactors.errors import HypError
from hypactors.lake import Lake
from hypactors.sql import query
from tests.cache.test_cache_writer import rows

if TYPE_CHECKING:
    from pathlib import Path

COUNT = "select count(*), count(distinct part_id) from ai_gateway_messages"


def elsewhere(tmp_path: Path, name: str) -> Lake:
    """Return a lake in a catalogue that pyiceberg opens by its properties, as a warehouse's is."""
    (tmp_path / "warehouse").mkdir(exist_ok=True)
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{tmp_path / 'shared.db'}",
        "warehouse": f"file://{tmp_path / 'warehouse'}",
    }
    return Lake(tmp_path / name, properties)


def test_a_catalogue_of_ones_own_choice_takes_the_rows(tmp_path: Path) -> None:
    """design, the cache: the same code writes into any catalogue, and each part once."""
    one = MessageWriter(elsewhere(tmp_path, "one"), run_id="r1")
    two = MessageWriter(elsewhere(tmp_path, "two"), run_id="r2")
    one.commit(rows("a", "b"), files=1)
    assert list(two.commit(rows("b", "c"), files=1).fresh) == [1]
    found = query(elsewhere(tmp_path, "three"), "select count(*) from ai_gateway_messages").rows
    assert list(found) == [(3,)]
    assert not (tmp_path / "one" / "catalog.db").exists()


def test_machines_that_share_a_catalogue_and_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that another machine was quicker than is made again on top of it."""
    mine = MessageWriter(elsewhere(tmp_path, "one"), run_id="r1")
    mine.commit(rows("a"), files=1)
    theirs = MessageWriter(elsewhere(tmp_path, "two"), run_id="r2")
    built = _writer._numbered

    def overtaken(columns: Any, next_seq: int) -> Any:
        batch = built(columns, next_seq)
        if not overtook:
            overtook.append(True)
            theirs.commit(rows("b", "c"), files=1)
        return batch

    overtook: list[bool] = []
    monkeypatch.setattr(_writer, "_numbered", overtaken)
    committed = mine.commit(rows("c", "d"), files=1)
    assert overtook
    assert list(committed.fresh) == [1], "what they wrote meanwhile is theirs"
    lake = elsewhere(tmp_path, "three")
    assert list(query(lake, COUNT).rows) == [(4, 4)]
    assert [row.seq for row in export_rows(lake, 0)] == [1, 2, 3, 4]


def test_who_is_always_overtaken_gives_up_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_writer, "_LONGEST_PAUSE_S", 0)
    tries: list[int] = []

    def lose(*_: Any) -> None:
        tries.append(1)
        raise CommitFailedException("Table has been updated\nby another process")

    writer = MessageWriter(elsewhere(tmp_path, "one"), run_id="r")
    monkeypatch.setattr(_writer.MessageWriter, "_commit", lose)
    with pytest.raises(HypError, match=r"^the catalogue sqlite:.*: Table has been .* by another"):
        writer.commit(rows("a"))
    assert len(tries) == _writer._LOST_RACES


def test_a_table_that_another_machine_makes_first_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = SqlCatalog.create_namespace_if_not_exists

    def overtaken(catalog: SqlCatalog, *arguments: Any) -> None:
        made(catalog, *arguments)
        monkeypatch.setattr(SqlCatalog, "create_namespace_if_not_exists", made)
        theirs.append(MessageWriter(elsewhere(tmp_path, "two"), run_id="r2"))

    theirs: list[MessageWriter] = []
    monkeypatch.setattr(SqlCatalog, "create_namespace_if_not_exists", overtaken)
    mine = MessageWriter(elsewhere(tmp_path, "one"), run_id="r1")
    assert mine.cache_id == theirs[0].cache_id


@pytest.mark.parametrize(
    ("error", "is_lost_race"),
    [
        (NamespaceAlreadyExistsError("hyp"), True),
        (IntegrityError("", None, Exception("duplicate key value")), True),
        (ProgrammingError("", None, Exception('relation "iceberg_tables" already exists')), True),
        (OperationalError("", None, Exception("table iceberg_tables already exists")), True),
        (OperationalError("", None, Exception("connection refused")), False),
    ],
)
def test_what_a_lost_race_is_depends_on_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, *, is_lost_race: bool
) -> None:
    loaded = SqlCatalog.load_table
    monkeypatch.setattr(SqlCatalog, "load_table", lambda *_: _fail_once(monkeypatch, loaded, error))
    lake = elsewhere(tmp_path, "one")
    if is_lost_race:
        assert MessageWriter(lake, run_id="r").commit(rows("a")).fresh
    else:
        with pytest.raises(HypError, match="connection refused"):
            MessageWriter(lake, run_id="r")


def _fail_once(monkeypatch: pytest.MonkeyPatch, loaded: Any, error: Exception) -> None:
    monkeypatch.setattr(SqlCatalog, "load_table", loaded)
    raise error


def test_every_file_of_a_warehouse_on_disk_is_synced(
    tmp_path: Path, synced: list[tuple[int, int]]
) -> None:
    """A network drive, perhaps; an object store has nothing to sync."""
    MessageWriter(elsewhere(tmp_path, "one"), run_id="r").commit(rows("a"))
    paths = [path for path in (tmp_path / "warehouse").rglob("*.*") if path.name[0] != "."]
    assert {path.suffix for path in paths} >= {".parquet", ".avro", ".json"}
    assert {(path.stat().st_dev, path.stat().st_ino) for path in paths} <= set(synced)


def _commit_alone(arguments: tuple[Path, int]) -> int:
    root, number = arguments
    writer = MessageWriter(elsewhere(root, f"machine-{number}"), run_id=f"r{number}")
    return len(writer.commit(rows("shared", f"own-{number}"), files=1).fresh)


@pytest.mark.process
def test_machines_that_race_make_one_table_and_each_part_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        written = pool.map(_commit_alone, [(tmp_path, number) for number in range(4)], chunksize=1)

    assert sorted(written) == [1, 1, 1, 2]
    assert list(query(elsewhere(tmp_path, "reader"), COUNT).rows) == [(5, 5)]


def test_whoever_only_reads_makes_nothing(tmp_path: Path) -> None:
    lake = elsewhere(tmp_path, "reader")
    assert list(query(lake, COUNT).rows) == [(0, 0)]
    assert table_id(lake) is None
    assert not (tmp_path / "shared.db").exists() or (tmp_path / "shared.db").stat().st_size == 0
    assert list((tmp_path / "warehouse").iterdir()) == []


def test_a_driver_that_is_missing_is_named_with_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    lake = Lake(tmp_path, {"type": "sql", "uri": "postgresql://hyp:canary@db.example/lake"})
    for use in (table_id, lambda lake: MessageWriter(lake, run_id="r")):
        with pytest.raises(HypError) as caught:
            use(lake)
        assert str(caught.value) == (
            "the catalogue postgresql://db.example/lake: needs psycopg, which is not installed:"
            " pip install 'hypactors[postgres]'"
        )


@pytest.mark.parametrize(
    "properties",
    [
        {"type": "sql", "uri": "nonsense://hyp:canary@db/lake"},
        {"type": "sql", "uri": "sqlite:////no/such/folder/of/canary@lake.db"},
        {"type": "nonsense", "token": "canary"},
        {"type": "sql"},
        {"type": "sql", "uri": "nonsense", "password": "canary"},
    ],
)
def test_a_catalogue_that_cannot_be_opened_is_told_in_one_line_without_its_secrets(
    tmp_path: Path, properties: dict[str, str]
) -> None:
    with pytest.raises(HypError, match=r"^the catalogue [^\n]+: [^\n]+$") as caught:
        table_id(Lake(tmp_path, properties))
    assert "canary" not in str(caught.value)


@pytest.mark.process
def test_what_pyiceberg_itself_is_told_adds_to_the_properties(tmp_path: Path) -> None:
    """A password has a place outside the config: pyiceberg's own file or environment."""
    lake = elsewhere(tmp_path, "one")
    writer = MessageWriter(lake, run_id="r")
    told = {"PYICEBERG_CATALOG__HYP__URI": lake.properties["uri"]}
    code = f"""
from pathlib import Path
from hypactors.cache import table_id
from hypactors.lake import Lake
print(table_id(Lake(Path({str(tmp_path / "two")!r}), {{"type": "sql"}})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **told}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == f"{writer.cache_id}\n"
