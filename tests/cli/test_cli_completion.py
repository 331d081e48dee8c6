"""Completion in a real shell."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from hypactors.cli.completion import words_of_commands
from hypactors.cli.main import COMMANDS

pytestmark = pytest.mark.process


def script(shell: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hypactors", "completion", shell],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


def test_every_command_has_its_words() -> None:
    words = words_of_commands({"HYP_HOME": "/nowhere"})
    assert set(words) == set(COMMANDS)
    assert {"--check", "--json", "--watch"} <= set(words["status"])
    assert {"claude", "codex", "plan", "--since", "--no-wait"} <= set(words["backfill"])
    assert {"overview", "--since", "--csv", "--timeout"} <= set(words["query"])
    assert {"install", "--foreground", "--now"} <= set(words["daemon"])


BASH = shutil.which("bash") or ""


@pytest.mark.skipif(not BASH, reason="there is no bash here")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("hyp sta", {"status"}),
        ("hyp status --", {"--json", "--check", "--watch", "--help"}),
        ("hyp backfill c", {"claude", "codex"}),
        ("hyp query ", {"sql", "schema", "datasets", "overview"}),
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


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_the_script(shell: str) -> None:
    program = shutil.which(shell)
    text = script(shell)
    assert "overview" in text
    if program is None:
        pytest.skip(f"there is no {shell} here")
    done = subprocess.run(
        [program, "-n" if shell == "zsh" else "--no-execute"],
        input=text, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
