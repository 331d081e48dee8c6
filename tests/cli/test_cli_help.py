"""The help of every command there is, and of every command below it."""

from __future__ import annotations

import importlib
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cli import backfill, main, query
from hypactors.cli._parser import Parser
from hypactors.cli.completion import SUBCOMMANDS, paths_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

PATHS = ["", *paths_of(main.COMMANDS)]
BY_HAND = {"backfill", "query", "status"}
"""They read their first words themselves; what is behind ``query`` has parsers."""

WIDTH = 80


class Parsed(Exception):  # noqa: N818 - it is how a command is stopped before it does anything
    """A command line was understood, by this parser if it was one."""

    def __init__(self, parser: argparse.ArgumentParser | None = None) -> None:
        super().__init__()
        self.parser = parser


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.parametrize("path", PATHS)
def test_every_help_names_its_command_and_shows_examples_that_can_be_typed(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """import 2."""
    code, out, err = told_by([*path.split(), "--help"], capsys)
    is_error = path.startswith("backfill")  # the one whose usage is an error
    assert code == (2 if is_error else 0)
    text = err.removeprefix("hyp backfill: ") if is_error else out
    assert (out, err)[not is_error] == ""
    named = "completion" if path.startswith("completion") else path
    assert text.startswith(f"usage: hyp {named}".rstrip())
    assert max(map(len, text.splitlines())) <= WIDTH

    examples = list(examples_of(text))
    assert examples
    assert all(f"hyp {named}" in " ".join(["hyp", *words]) for words in examples)
    nothing_is_done(monkeypatch)
    for words in examples:
        assert is_understood(words), words


def test_no_command_below_another_is_forgotten() -> None:
    found = {"query": tuple(query.QUESTIONS), "backfill": ("list", "plan")}
    found |= {"logs": ("events",), "completion": ("bash", "zsh", "fish")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parser, "parse_args", caught)
        for command in set(main.COMMANDS) - BY_HAND:
            with pytest.raises(Parsed) as parsed:
                importlib.import_module(f"hypactors.cli.{command}").main([], {})
            assert parsed.value.parser is not None
            found |= dict(below(command, parsed.value.parser))
    assert {path: set(names) for path, names in found.items()} == {
        path: set(names) for path, names in SUBCOMMANDS.items()
    }


def test_every_option_says_what_it_does() -> None:
    for path in PATHS[1:]:
        command, *words = path.split()
        if command in {"backfill", "status"} or path == "query":
            continue
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Parser, "parse_args", caught)
            with pytest.raises(Parsed) as parsed:
                importlib.import_module(f"hypactors.cli.{command}").main(words, {})
        for parser in everything_in(parsed.value.parser):
            for action in parser._actions:
                assert action.help or action.choices, f"{parser.prog}: {action.dest}"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("stauts", "hyp: no such command: 'stauts'; did you mean 'hyp status'?"),
        ("--verison", "hyp: no such option: '--verison'; did you mean 'hyp --version'?"),
        ("daemon stpo", "hyp daemon: no such command: 'stpo'; did you mean 'hyp daemon stop'?"),
        (
            "daemon stop --nwo",
            "hyp daemon: no such option: '--nwo'; did you mean 'hyp daemon stop --now'?",
        ),
        (
            "central token creat",
            "hyp central: no such command: 'creat'; did you mean 'hyp central token create'?",
        ),
        ("query sqll x", "hyp query: no such question: 'sqll'; did you mean 'hyp query sql'?"),
        (
            "query sql x --jsno",
            "hyp query: no such option: '--jsno'; did you mean 'hyp query sql --json'?",
        ),
        ("query --hlep", "hyp query: no such option: '--hlep'; did you mean 'hyp query --help'?"),
        ("logs evnts", "hyp logs: no such command: 'evnts'; did you mean 'hyp logs events'?"),
        (
            "status --josn",
            "hyp status: no such option: '--josn'; did you mean 'hyp status --json'?",
        ),
        (
            "backfill --snice=3",
            "hyp backfill: no such option: '--snice'; did you mean 'hyp backfill --since'?",
        ),
        (
            "completion bsh",
            "hyp completion: no such shell: 'bsh'; did you mean 'hyp completion bash'?",
        ),
        ("metrics --foo", "hyp metrics: no such option: '--foo'; 'hyp metrics --help' lists them"),
        ("daemon xyz", "hyp daemon: no such command: 'xyz'; 'hyp daemon --help' lists them"),
        (
            "join --tokn-file=SECRET",
            "hyp join: no such option: '--tokn-file'; did you mean 'hyp join --token-file'?",
        ),
    ],
)
def test_a_misspelt_word_gets_a_suggestion(
    typed: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told_by(typed.split(), capsys) == (2, "", f"{said}\n")


def told_by(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = main.run(words)
    except SystemExit as stopped:  # as argparse does it
        code = int(str(stopped.code))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def examples_of(text: str) -> Iterator[list[str]]:
    """Yield the words behind each ``hyp`` that is shown under the heading."""
    _, heading, shown = text.partition("\nexamples:\n")
    assert heading
    for line in shown.rstrip("\n").splitlines():
        assert line.startswith("  "), "nothing comes behind the examples"
        typed = re.split(r"\s{2,}", line.strip())[0]
        typed = re.sub(r'^eval "\$\((.*)\)"$', r"\1", typed)
        lexer = shlex.shlex(typed, posix=True, punctuation_chars="|;<>")
        lexer.whitespace_split = True
        words = list(lexer)
        words = words[words.index("hyp") + 1 :]
        ends = [words.index(word) for word in words if set(word) <= set("|;<>")]
        yield words[: min(ends, default=len(words))]


def nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse_args(parser: Parser, argv: Any) -> None:
        parser.parse_known_args(argv)
        raise Parsed(parser)

    def find_providers() -> None:
        raise Parsed

    monkeypatch.setattr(Parser, "parse_args", parse_args)
    monkeypatch.setattr(backfill, "find_providers", find_providers)


def is_understood(words: list[str]) -> bool:
    try:
        code = main.run(words)
    except Parsed:
        return True
    return words[0] == "status" and code != 2  # it has no effect, so it may run


def caught(parser: Parser, _argv: Any) -> None:
    raise Parsed(parser)


def below(path: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, tuple[str, ...]]]:
    commands = commands_of(parser)
    if commands:
        yield path, tuple(commands)
    for name, command in commands.items():
        yield from below(f"{path} {name}", command)


def everything_in(parser: argparse.ArgumentParser | None) -> Iterator[argparse.ArgumentParser]:
    assert parser is not None
    yield parser
    for command in commands_of(parser).values():
        yield from everything_in(command)


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action.choices, dict):
            return action.choices
    return {}
