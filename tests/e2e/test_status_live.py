"""``hyp status`` of a daemon that has a lot to do: whole, and from its actors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.machine import CLAUDE, eventually

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

pytestmark = pytest.mark.process

CODEX = "@hypaware/codex"
IDLE = [f"idle{number:02}" for number in range(18)]
MODULE = """
class Idle:
    datasets = ("ai_gateway_messages",)
    summary = "Nothing to import"

    def __init__(self, name):
        self.name, self.plugin = name, f"@idle/{name}"

    def scan(self, context):
        raise NotImplementedError

    def has_history(self, environ):
        return False

    def plan(self, context):
        return {}

def __getattr__(name):
    if not name.startswith("idle"):
        raise AttributeError(name)
    return Idle(name)
"""


def install_idle_providers(machine: Machine) -> None:
    site = machine.root / "site"
    info = site / "idle_providers-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "idle_providers.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: idle-providers\nVersion: 1.0\n")
    points = "".join(f"{name} = idle_providers:{name}\n" for name in IDLE)
    (info / "entry_points.txt").write_text(f"[hypactors.providers]\n{points}")
    machine.environ["PYTHONPATH"] = str(site)


def test_a_daemon_with_twenty_providers_says_it_all_while_one_of_them_imports(
    machine: Machine,
) -> None:
    """status §2: from the runtime where there is one, whatever its files say meanwhile."""
    install_idle_providers(machine)
    machine.environ["HYP_IMPORT_CONCURRENCY"] = "1"
    machine.import_with("import time; time.sleep(600)")
    keys = [CLAUDE, CODEX, *(f"@idle/{name}" for name in IDLE)]
    machine.join(*({"name": key} for key in keys))
    at = "2026-06-25T08:00:00.000Z"
    done = {"status": "done", "rows": 7, "at": at, "request_key": CODEX}
    machine.home.marker_file.write_text(json.dumps({"backfill": {CODEX: done}}))

    def states() -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for row in machine.status()["client_actions"]:
            found.setdefault(row["state"], []).append(row)
        return found

    def is_settled() -> bool:
        found = states()
        waiting = [row for row in found.get("pending", []) if row.get("waits_for")]
        return len(found.get("running", [])) == 1 and len(waiting) == len(keys) - 2

    with machine.daemon():
        eventually(is_settled)
        machine.home.marker_file.write_text("{")
        machine.home.status_file.write_text("{")
        report = machine.status()
        assert report["source"] == "daemon"
        assert [row["request_key"] for row in report["client_actions"]] == keys
        assert is_settled()
        found = states()
        assert found["done"] == [
            {"kind": "backfill", "request_key": CODEX, "state": "done", "rows": 7, "at": at}
        ]
        runners = [actor for actor in report["actors"] if actor["name"].startswith("backfill:")]
        assert {actor["state"] for actor in runners} == {"running"}
        assert len(runners) == len(keys)
        assert machine.hyp("daemon", "stop", "--now").returncode == 0
