"""``hyp`` alone, and ``hyp`` misspelt."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.cli._standing import next_steps, standing
from hypactors.cli.main import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

SOLO: dict[str, Any] = {
    "convergence": {"state": "never_joined"},
    "daemon": {"running": False},
    "cache": {"size_bytes": 0, "oldest_partition_date": None},
    "client_actions": None,
    "attention": [{"kind": "config_missing", "message": "no config", "command": "hyp join"}],
}
JOINED: dict[str, Any] = {
    "convergence": {"state": "converged"},
    "daemon": {"running": True},
    "cache": {"size_bytes": 12_345_678, "oldest_partition_date": "2026-11"},
    "client_actions": [{"state": "done"}, {"state": "done"}, {"state": "running"}],
    "attention": [{"message": "a\x1b[2J", "command": "hyp sync"}] * 5,
}


def test_a_fresh_machine_is_told_how_to_begin() -> None:
    lines = standing(SOLO)
    assert not any("no config" in line for line in lines), "the next step says it"
    assert lines[:2] == [
        "This machine is on its own: it has joined no server.",
        "The daemon does not run; nothing was imported yet.",
    ]
    assert [command for command, _ in next_steps(SOLO)] == [
        "hyp backfill claude codex",
        "hyp join URL --token-file FILE",
    ]


def test_a_joined_machine_says_what_it_does_and_what_needs_attention() -> None:
    text = "\n".join(standing(JOINED))
    assert "running what its server wants" in text
    assert "The daemon runs; 12.3 MB of history are in the cache." in text
    assert "Actions: 2 done, 1 running." in text
    assert text.count("! a[2J\n    hyp sync") == 3
    assert "and 2 more: hyp status" in text


def test_every_step_is_a_command_that_there_is() -> None:
    for report in (SOLO, JOINED, SOLO | {"cache": JOINED["cache"]}):
        for command, why in next_steps(report):
            assert command.split()[1] in COMMANDS
            assert why


@settings(max_examples=60, derandomize=True)
@given(
    key=st.sampled_from(sorted(JOINED)),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ),
)
def test_a_report_of_another_version_is_said_as_far_as_it_goes(key: str, value: Any) -> None:
    assert all(line.isprintable() for line in standing({**JOINED, key: value}))


@pytest.mark.process
def test_the_program_alone_and_misspelt(tmp_path: Path) -> None:
    def hyp(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "hypactors", *arguments],
            env={"HYP_HOME": str(tmp_path), "HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    alone = hyp()
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout.startswith("This machine is on its own")
    assert list(tmp_path.iterdir()) == [], "looking changes nothing"
    misspelt = hyp("stauts")
    assert (misspelt.returncode, misspelt.stdout) == (2, "")
    assert misspelt.stderr == "hyp: no such command: 'stauts'; did you mean 'hyp status'?\n"
    assert "'hyp --help' lists them" in hyp("xyzzy").stderr
