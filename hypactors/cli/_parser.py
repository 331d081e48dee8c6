"""What the command lines have in common: how a help looks, and how a mistake is told."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from hypactors.cli._suggestion import no_such
from hypactors.errors import UsageError

Examples = Mapping[str, str]
"""What to type, and what it is good for; empty where that needs no words."""


class Parser(argparse.ArgumentParser):
    """One line for a mistake, not a page; and no help without an example."""

    def __init__(self, *, examples: Examples, notes: str = "", **options: Any) -> None:
        super().__init__(
            formatter_class=_Help,
            epilog="\n\n".join(filter(None, [notes, _shown(examples)])),
            **options,
        )

    def add_commands(
        self, dest: str, *, is_required: bool = False
    ) -> Callable[[str, str, Examples], Parser]:
        """Return what adds a sub-command, whose own help begins with what it is listed as."""
        commands = self.add_subparsers(
            title="commands", dest=dest, metavar="<command>", required=is_required
        )

        def add(name: str, says: str, examples: Examples) -> Parser:
            sentence = f"{says[0].upper()}{says[1:]}."
            return commands.add_parser(name, help=says, description=sentence, examples=examples)

        return add

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is left over here: who knows the options that were meant is this parser."""
        options, left = super().parse_known_args(args, namespace)
        unknown = next((word for word in left if word.startswith("-")), None)
        if unknown is not None:
            # Without its value, which may be a secret.
            name = unknown.partition("=")[0]
            raise UsageError(no_such("option", name, self._long_options(), of=self.prog))
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return options, left

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            what = "command" if action.nargs == argparse.PARSER else action.dest
            raise UsageError(no_such(what, str(value), action.choices, of=self.prog))

    def _long_options(self) -> Sequence[str]:
        return [name for name in self._option_string_actions if name.startswith("--")]


class _Help(argparse.RawDescriptionHelpFormatter):
    """Lists commands like options, without a line that only says that they are commands."""

    def _format_action(self, action: argparse.Action) -> str:
        if action.nargs != argparse.PARSER:
            return super()._format_action(action)
        self._dedent()
        listed = [self._format_action(each) for each in self._iter_indented_subactions(action)]
        self._indent()
        return "".join(listed)


def _shown(examples: Examples) -> str:
    width = max((len(typed) for typed, why in examples.items() if why), default=0)
    lines = [f"  {typed:<{width}}   {why}".rstrip() for typed, why in examples.items()]
    return "\n".join(["examples:", *lines])
