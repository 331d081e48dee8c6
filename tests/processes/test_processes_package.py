from __future__ import annotations

import subprocess
import sys

import pytest

import hypactors.processes

HEAVY = ("psutil", "msgspec", "structlog", "dataclasses", "subprocess", "logging", "datetime")


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    return set(output.split())


@pytest.mark.process
@pytest.mark.parametrize(
    "statement",
    ["import hypactors.processes._launcher", "from hypactors.processes import ImportLock, is_free"],
)
def test_launcher_and_lock_load_nothing_heavy(statement: str) -> None:
    """Contract §5: a launcher lives as long as its import and should be small."""
    loaded = loaded_by(statement)
    assert "hypactors.processes" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.process
def test_package_imports_nothing_above_or_beside_it() -> None:
    """Design: an import goes downwards only."""
    every_name = ", ".join(hypactors.processes.__all__)
    loaded = loaded_by(f"from hypactors.processes import {every_name}")
    ours = {name for name in loaded if name.startswith("hypactors.")}
    assert {name for name in ours if not name.startswith("hypactors.processes")} <= {
        "hypactors.clock",
        "hypactors.errors",
        "hypactors.files",
        "hypactors.paths",
        "hypactors.messages",
    }
    assert loaded.isdisjoint({"pyarrow", "pyiceberg", "duckdb", "pykka"})


@pytest.mark.parametrize("name", hypactors.processes.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(hypactors.processes, name) is not None


def test_a_name_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonesuch'"):
        hypactors.processes.nonesuch  # noqa: B018 - the access is the test
