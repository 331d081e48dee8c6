"""What the README tells a person to type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hypactors.cli.completion import SUBCOMMANDS
from hypactors.cli.main import COMMANDS
from tests.e2e.machine import session_lines

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

README = (Path(__file__).parents[2] / "README.md").read_text()

pytestmark = pytest.mark.process

# A word of lower case right behind `hyp`, and one more when the command has sub-commands.
TOLD = sorted(set(re.findall(r"`hyp ((?:[a-z]+)(?: [a-z]+)?)\b[^`]*`", README)))


def test_every_command_is_told() -> None:
    assert {told.split()[0] for told in TOLD} == set(COMMANDS)


@pytest.mark.parametrize("told", TOLD)
def test_what_is_told_can_be_typed(told: str, machine: Machine) -> None:
    command, *rest = told.split()
    words = [command, *(word for word in rest if word in SUBCOMMANDS.get(command, ()))]
    done = machine.hyp(*words, "--help")
    if command == "backfill":  # the one whose usage is an error (import 2)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: hyp backfill" in done.stderr
        return
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: hyp")


def test_the_first_commands_of_a_new_user(machine: Machine) -> None:
    """Those of the section on installing, as they stand there."""
    block = README.split("## Install")[1].split("`HYP_HOME`")[0]
    lines = re.findall(r"^    hyp(.*?)(?:#.*)?$", block, re.MULTILINE)
    commands = [line.strip() for line in lines]
    assert commands == ["", "backfill claude codex", "query overview"]
    folder = machine.projects / "-work"
    folder.mkdir()
    (folder / "s1.jsonl").write_text("\n".join(session_lines(10)) + "\n")
    outputs = [machine.hyp(*command.split()) for command in commands]
    assert [(done.returncode, done.stderr) for done in outputs] == [(0, "")] * 3
    assert "hyp backfill claude codex" in outputs[0].stdout
    assert "rows_written=10" in outputs[1].stdout
    assert "1 session, 10 messages" in outputs[2].stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["status", "--json"],
        ["logs", "--since", "1h", "--level", "warn"],
        ["logs", "events"],
        ["query", "schema"],
        ["query", "datasets"],
        ["query", "sql", "describe ai_gateway_messages", "--csv"],
        ["backfill", "list"],
        ["backfill", "plan"],
        ["maintain", "--json"],
        ["actions", "list"],
        ["config", "show"],
        ["daemon", "status"],
        ["leave"],
    ],
    ids=" ".join,
)
def test_what_only_looks_can_be_typed_on_a_new_machine(
    arguments: list[str], machine: Machine
) -> None:
    done = machine.hyp(*arguments)
    assert done.returncode in {0, 1}
    assert "Traceback" not in done.stderr
    assert done.stdout or done.stderr
