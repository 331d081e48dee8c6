"""``hyp doctor`` as a person types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.machine import CLAUDE, Machine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process


def test_a_new_machine_is_examined_and_left_as_it_is(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    before = sorted(machine.root.rglob("*"))
    done = machine.hyp("doctor", "--json")
    assert done.stderr == ""
    levels = {found["check"]: found["level"] for found in json.loads(done.stdout)["findings"]}
    assert levels["home"] == levels["modes"] == levels["history"] == "ok"
    assert levels["config"] == "warn"
    assert done.returncode == int("fail" in levels.values())
    assert sorted(machine.root.rglob("*")) == before


def test_what_is_on_the_list_is_repaired_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.join({"name": CLAUDE})
    machine.home.marker_file.write_text("{")
    first = machine.hyp("doctor", "--fix")
    assert "fixed: set client-actions.json aside as client-actions.json.corrupt-" in first.stdout
    assert "fail  state" not in first.stdout
    assert "fixed:" not in machine.hyp("doctor", "--fix").stdout


def test_a_live_daemon_keeps_its_files(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.join({"name": CLAUDE})
    with machine.daemon():
        done = machine.hyp("doctor", "--fix", "--json")
        assert machine.home.control_socket.exists()
    found = json.loads(done.stdout)
    assert all(said.startswith("nothing was repaired: a daemon") for said in found["repaired"])
    [leftovers] = [each for each in found["findings"] if each["check"] == "leftovers"]
    assert leftovers["message"] == "a daemon runs and owns its socket"
