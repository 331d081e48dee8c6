"""The examples run, and the README shows what they print."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "hypactors" / "supervision" / "README.md"


@pytest.mark.process
@pytest.mark.parametrize("name", ["restarted", "pykka_alone"])
def test_an_example_prints_what_the_readme_shows(name: str) -> None:
    example = ROOT / "examples" / "supervision" / f"{name}.py"
    run = subprocess.run(
        [sys.executable, str(example)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    shown = "".join(f"    {line}\n" for line in run.stdout.splitlines())
    assert shown in README.read_text()


def test_the_promises_name_tests_that_exist() -> None:
    words = README.read_text().replace("`", " ").replace(",", " ").split()
    named = {word for word in words if word.startswith("test_") and word.endswith(".py")}
    assert len(named) >= 5
    assert all((ROOT / "tests" / "supervision" / name).is_file() for name in named)
