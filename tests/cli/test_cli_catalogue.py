"""Two machines whose configs name one catalogue, as a person uses them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.machine import CLAUDE, Machine, session_lines

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

COUNT = "select count(*) as rows, count(distinct part_id) as parts from ai_gateway_messages"
SECRET = "canary-of-the-catalogue"


class Sharer(Machine):
    def __init__(self, root: Path, catalog: Path) -> None:
        root.mkdir()
        super().__init__(root)
        self.catalog = {
            "type": "sql",
            "uri": f"sqlite:///{catalog}/shared.db",
            "warehouse": f"{catalog}/warehouse",
            "s3.secret-access-key": SECRET,
        }
        self.configure()

    def configure(self, **document: Any) -> None:
        config = {
            "version": 2,
            "plugins": [{"name": CLAUDE}],
            "query": {"cache": {"catalog": self.catalog}},
            **document,
        }
        self.home.root.mkdir(exist_ok=True)
        self.home.default_local_config.write_text(json.dumps(config))

    def session(self, name: str, rows: int) -> None:
        path = self.projects / "p" / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in session_lines(rows, session=name)))

    def done(self, *arguments: str) -> str:
        done = self.hyp(*arguments)
        assert done.returncode == 0, done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def sharers(tmp_path: Path) -> tuple[Sharer, Sharer]:
    (tmp_path / "catalog" / "warehouse").mkdir(parents=True)
    one, two = (Sharer(tmp_path / name, tmp_path / "catalog") for name in ("one", "two"))
    for machine, own in ((one, "a"), (two, "b")):
        machine.session("both", 4)
        machine.session(own, 2)
    return one, two


def test_each_machine_finds_what_both_have_imported(sharers: tuple[Sharer, Sharer]) -> None:
    one, two = sharers
    assert "rows_written=6" in one.done("backfill", "claude")
    assert "rows_written=2" in two.done("backfill", "claude")
    assert one.query(COUNT) == two.query(COUNT) == [{"rows": 8, "parts": 8}]
    assert "8" in one.done("query", "datasets")
    assert "sessions" in one.done("query", "overview")
    one.done("report")
    page = one.home.report_file.read_text()
    assert SECRET not in page
    assert "shared.db" in one.done("status")
    assert "which others share" in one.done("status")
    assert "shared.db" in one.done("config", "show")


def test_upkeep_leaves_the_catalogue_alone(sharers: tuple[Sharer, Sharer]) -> None:
    machine, _ = sharers
    query = {"cache": {"catalog": machine.catalog, "retention": {"default_days": 1}}}
    machine.configure(query=query)
    machine.done("backfill", "claude", "--since", "2020-01-01T00:00:00Z")
    said = machine.done("maintain")
    assert said.startswith("0 old rows removed, ")
    assert "is shared: whoever keeps it looks after it\n" in said
    assert machine.query(COUNT) == [{"rows": 6, "parts": 6}]


def test_the_daemon_imports_once_and_again_when_the_rows_are_to_go_elsewhere(
    sharers: tuple[Sharer, Sharer],
) -> None:
    """client-actions, is_current: a marker stands for the cache that it was made for."""
    machine, other = sharers
    catalog, machine.catalog = machine.catalog, {}
    machine.configure(query={})
    machine.join()
    assert machine.run_once().returncode == 0
    first = machine.marker()
    machine.catalog = catalog
    machine.configure()
    for _ in range(2):
        assert machine.run_once().returncode == 0
    second = machine.marker()
    assert first["cache_id"] != second["cache_id"]
    assert other.query(COUNT) == [{"rows": 6, "parts": 6}]
    assert [event["rows"] for event in machine.events("client_action.done")] == [6, 6]
    assert SECRET not in machine.home.log_file.read_text()
    assert SECRET not in machine.home.marker_file.read_text()


def test_the_doctor_asks_it(sharers: tuple[Sharer, Sharer]) -> None:
    machine, _ = sharers
    machine.home.default_local_config.chmod(0o600)
    machine.catalog["uri"] = "nonsense://x"
    found = json.loads(machine.hyp("doctor", "--json").stdout)["findings"]
    assert [each["level"] for each in found if each["check"] == "catalogue"] == ["ok"]
    machine.configure()
    found = json.loads(machine.hyp("doctor", "--json").stdout)["findings"]
    [finding] = [each for each in found if each["check"] == "catalogue"]
    assert finding["level"] == "fail"
    assert finding["message"].startswith("the catalogue nonsense://x: ")


def test_with_a_config_that_cannot_be_read_the_machine_asks_its_own_cache(
    sharers: tuple[Sharer, Sharer],
) -> None:
    machine, _ = sharers
    machine.home.default_local_config.write_text("{")
    done = machine.hyp("query", "sql", COUNT, "--csv")
    assert (done.returncode, done.stdout) == (0, "rows,parts\n0,0\n")
    assert "is not JSON" in done.stderr
    assert "(going on without it)" in done.stderr


def test_what_is_in_the_catalogue_is_sent_to_no_server(sharers: tuple[Sharer, Sharer]) -> None:
    machine, _ = sharers
    plugin = "@hypaware/central"
    machine.configure(
        plugins=[{"name": CLAUDE}, {"name": plugin}],
        sinks={
            "central": {"plugin": plugin, "config": {"url": "http://127.0.0.1:9", "identity": {}}}
        },
    )
    machine.done("backfill", "claude")
    for command in (["forward"], ["sync", "--yes"]):
        done = machine.hyp(*command)
        assert "new rows go to the catalogue sqlite:///" in done.stderr
        assert "only what this machine has kept itself is sent" in done.stderr
    assert "nothing new for http://127.0.0.1:9" in machine.hyp("sync").stdout
    assert "rows_elsewhere" in [row["kind"] for row in machine.status()["attention"]]
