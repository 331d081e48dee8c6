"""Completion in a real shell."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from functools import cache
from typing import TYPE_CHECKING

import pytest

from hypactors.cli.completion import words_of_commands
from hypactors.cli.main import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process


@cache
def script(shell: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hypactors", "completion", shell],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


def test_every_command_has_its_words() -> None:
    words = words_of_commands({"HYP_HOME": "/nowhere"})
    assert {path.split()[0] for path in words if path} == set(COMMANDS)
    assert {"--check", "--json", "--watch"} <= set(words["status"])
    assert {"claude", "codex", "plan", "--since", "--no-wait"} <= set(words["backfill"])
    assert words["query"] == ["sql", "schema", "datasets", "overview", "--help"]
    assert words["daemon stop"] == ["--help", "--now"]
    assert words["backfill list"] == ["--help", "--json"]
    assert words["central token"] == ["create", "list", "revoke", "--help"]


BASH = shutil.which("bash") or ""


@pytest.mark.skipif(not BASH, reason="there is no bash here")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("hyp sta", {"status"}),
        ("hyp status --", {"--json", "--check", "--watch", "--help"}),
        ("hyp backfill c", {"claude", "codex"}),
        ("hyp query ", {"sql", "schema", "datasets", "overview"}),
        ("hyp daemon stop --n", {"--now"}),
        ("hyp central token ", {"create", "list", "revoke"}),
        ("hyp nonsense --h", {"--help"}),
    ],
)
def test_bash_completes(typed: str, expected: set[str]) -> None:
    words = typed.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    program = (
        f"{script('bash')}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _hyp;"
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [BASH, "-c", program], check=True, capture_output=True, text=True, timeout=30
    )
    found = set(done.stdout.split())
    assert found >= expected
    if words[-1]:
        assert all(word.startswith(words[-1]) for word in found)


FISH = shutil.which("fish") or ""


@pytest.mark.skipif(not FISH, reason="there is no fish here")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("hyp sta", {"status"}),
        ("hyp daemon st", {"start", "status", "stop"}),
        ("hyp daemon stop --", {"--help", "--now"}),
        ("hyp central token ", {"create", "list", "revoke"}),
    ],
)
def test_fish_completes(typed: str, expected: set[str]) -> None:
    done = subprocess.run(
        [FISH, "--no-config", "-c", f"{script('fish')}\ncomplete -C '{typed}'"],
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (set(done.stdout.split()), done.stderr) == (expected, "")


ZSH = shutil.which("zsh") or ""


@pytest.mark.skipif(not ZSH, reason="there is no zsh here")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [("hyp sta", "hyp status"), ("hyp central tok", "hyp central token"),
     ("hyp daemon stop --n", "hyp daemon stop --now")],
)  # fmt: skip
def test_zsh_completes(typed: str, completed: str, tmp_path: Path) -> None:
    """It does so only on a terminal."""
    (tmp_path / "hyp.zsh").write_text(script("zsh"))
    terminal, its_end = pty.openpty()
    with subprocess.Popen(
        [ZSH, "-f", "-i"], stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True,
        cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path), "TERM": "dumb"},
    ) as shell:  # fmt: skip
        os.close(its_end)
        try:
            # The word is only in what is printed, not in the echo of what was typed.
            os.write(
                terminal,
                b"autoload -U compinit && compinit -D -u; source ./hyp.zsh; echo rea''dy\n",
            )
            read_until(terminal, "ready")
            os.write(terminal, f"{typed}\t".encode())
            read_until(terminal, completed)
        finally:
            shell.kill()
            os.close(terminal)


def read_until(terminal: int, text: str, within_s: float = 30.0) -> None:
    seen, deadline = "", time.monotonic() + within_s
    while text not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 0.5)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
