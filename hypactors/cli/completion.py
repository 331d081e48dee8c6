"""``hyp completion``: scripts that let a shell complete the words of ``hyp``."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import re
import sys
from typing import TYPE_CHECKING

from hypactors.cli._parser import Parser

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUBCOMMANDS: Mapping[str, Sequence[str]] = {
    "actions": ("list", "explain", "retry", "forget"),
    "backfill": ("list", "plan"),
    "central": ("serve", "token", "config", "gateways"),
    "completion": ("bash", "zsh", "fish"),
    "config": ("show", "validate"),
    "daemon": ("run", "stop", "status", "install", "uninstall", "start", "restart"),
    "logs": ("events",),
    "query": ("sql", "schema", "datasets", "overview"),
}

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_EPILOG = """\
examples:
  eval "$(hyp completion bash)"                       in ~/.bashrc
  eval "$(hyp completion zsh)"                        in ~/.zshrc, behind compinit
  hyp completion fish > ~/.config/fish/completions/hyp.fish
"""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the script of one shell."""
    parser = Parser(
        prog="hyp completion",
        description="Print a script that lets a shell complete commands and options.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    parser.add_argument("shell", choices=SUBCOMMANDS["completion"])
    shell = parser.parse_args(argv).shell
    words = words_of_commands(environ)
    script = _fish(words) if shell == "fish" else _bash(words)
    if shell == "zsh":
        script = f"autoload -U +X bashcompinit && bashcompinit\n{script}"
    sys.stdout.write(script)
    return 0


def words_of_commands(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Return, by command, what may stand behind it: sub-commands, and the options of its help."""
    from hypactors.cli.main import COMMANDS

    providers = _providers()
    found = {}
    for command in COMMANDS:
        subcommands = SUBCOMMANDS.get(command, ())
        helps = [[], *([each] for each in subcommands)] if command != "completion" else [[]]
        options = {
            option
            for words in helps
            for option in _OPTION.findall(_help_of(command, [*words, "--help"], environ))
        }
        more = providers if command == "backfill" else ()
        found[command] = [*subcommands, *more, *sorted(options - {"--help"})]
    return found


def _help_of(command: str, argv: Sequence[str], environ: Mapping[str, str]) -> str:
    from hypactors.errors import HypError

    out = io.StringIO()
    module = importlib.import_module(f"hypactors.cli.{command}")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            module.main(argv, environ)
        except HypError as error:  # the usage of one of them is an error
            out.write(str(error))
        except SystemExit:
            pass
    return out.getvalue()


def _providers() -> list[str]:
    from hypactors.providers import scan_providers

    return [provider.name for provider in scan_providers().providers]


def _bash(words: Mapping[str, Sequence[str]]) -> str:
    cases = "\n".join(
        f'        {name}) words="{" ".join(found)}" ;;' for name, found in words.items()
    )
    return f"""\
_hyp() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" words
    if [ "$COMP_CWORD" -le 1 ]; then
        COMPREPLY=($(compgen -W "{" ".join(words)} --help --version" -- "$word"))
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
        *) words="" ;;
    esac
    COMPREPLY=($(compgen -W "$words --help" -- "$word"))
}}
complete -o default -F _hyp hyp
"""


def _fish(words: Mapping[str, Sequence[str]]) -> str:
    lines = [f"complete -c hyp -n __fish_use_subcommand -f -a '{' '.join(words)}'"]
    for name, found in words.items():
        behind = f"-n '__fish_seen_subcommand_from {name}'"
        plain = [word for word in found if not word.startswith("--")]
        if plain:
            lines.append(f"complete -c hyp {behind} -a '{' '.join(plain)}'")
        lines += [
            f"complete -c hyp {behind} -l {word.removeprefix('--')}"
            for word in found
            if word.startswith("--")
        ]
    return "\n".join(lines) + "\n"
