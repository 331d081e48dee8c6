"""A provider of another package: installed, configured, imported by the daemon (import 46)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hypactors.lake import Lake
from hypactors.sql import query
from tests.e2e.machine import Machine, eventually

JOTTER = "@acme/jotter"
PACKAGE = Path(__file__).parents[1] / "data" / "jotter_provider"

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package as a person would, but beside and not into this environment."""
    folder = tmp_path_factory.mktemp("jotter")
    source = folder / "source"
    shutil.copytree(PACKAGE, source)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--no-build-isolation", "--disable-pip-version-check"),
            *("--target", str(folder / "site"), str(source)),
        ],
        check=True,
        timeout=60,
    )
    return folder / "site"


@pytest.fixture
def machine(tmp_path: Path, installed: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.environ["PYTHONPATH"] = str(installed)
    folder = machine.user_home / "jottings"
    folder.mkdir()
    for number in range(3):
        (folder / f"179352000000{number}.txt").write_text(f"jotting {number}")
    return machine


def test_it_is_listed_and_says_what_it_would_import(machine: Machine) -> None:
    listed = json.loads(machine.hyp("backfill", "list", "--json").stdout)["providers"]
    assert [provider["name"] for provider in listed] == ["claude", "codex", "jotter"]
    planned = json.loads(machine.hyp("backfill", "plan", "jotter", "--json").stdout)["providers"]
    assert planned[0]["plan"] == {"jottings": 3}
    assert '    {"jottings": 3}\n' in machine.hyp("backfill", "plan", "jotter").stdout


def test_its_section_of_a_config_is_checked(machine: Machine) -> None:
    for ink, code in (("green", 0), (3, 1)):
        document = {"version": 2, "plugins": [{"name": JOTTER, "config": {"ink": ink}}]}
        path = machine.root / "config.json"
        path.write_text(json.dumps(document))
        done = machine.hyp("config", "validate", str(path))
        assert done.returncode == code, done.stdout + done.stderr
        if code:
            assert "/plugins/0/config/ink" in done.stdout + done.stderr
            assert "must be a string" in done.stdout + done.stderr


def test_the_daemon_imports_it(machine: Machine) -> None:
    machine.join({"name": JOTTER})
    with machine.daemon():
        eventually(lambda: machine.markers().get("backfill", {}).get(JOTTER))
    marker = machine.markers()["backfill"][JOTTER]
    assert (marker["status"], marker["rows"], marker["files"]) == ("done", 3, 3)
    sql = "select content_text, client_name from ai_gateway_messages order by 1"
    assert list(query(Lake.of(machine.home), sql).rows) == [
        (f"jotting {number}", "jotter") for number in range(3)
    ]
