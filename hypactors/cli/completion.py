"""``hyp completion``: scripts that let a shell complete the words of ``hyp``."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import sys
from typing import TYPE_CHECKING

from hypactors.cli._parser import Parser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SUBCOMMANDS: Mapping[str, Sequence[str]] = {
    "actions": ("list", "explain", "retry", "forget"),
    "backfill": ("list", "plan"),
    "central": ("serve", "token", "config", "gateways"),
    "central config": ("put", "get", "list"),
    "central token": ("create", "list", "revoke"),
    "completion": ("bash", "zsh", "fish"),
    "config": ("show", "validate"),
    "daemon": ("run", "stop", "status", "install", "uninstall", "start", "restart"),
    "logs": ("events",),
    "query": ("sql", "schema", "datasets", "overview"),
}

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_EXAMPLES = {
    'eval "$(hyp completion bash)"': "in ~/.bashrc",
    'eval "$(hyp completion zsh)"': "in ~/.zshrc, after compinit",
    "hyp completion fish > ~/.config/fish/completions/hyp.fish": "",
}


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the script of one shell."""
    parser = Parser(
        prog="hyp completion",
        description="Print a script that lets a shell complete commands and options.",
        examples=_EXAMPLES,
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
    """Return what may stand behind each command: sub-commands, and the options of its help."""
    from hypactors.cli.main import COMMANDS

    providers = _providers()
    found = {"": [*COMMANDS, "--help", "--version"]}
    for path in paths_of(COMMANDS):
        command, *words = path.split()
        told, _, _ = _help_of(command, [*words, "--help"], environ).partition("\nexamples:\n")
        more = providers if path in {"backfill", "backfill plan"} else ()
        options = sorted({*_OPTION.findall(told), "--help"})
        found[path] = [*SUBCOMMANDS.get(path, ()), *more, *options]
    return found


def paths_of(commands: Sequence[str]) -> Iterator[str]:
    """Yield these commands, each with all that are below it."""
    for path in commands:
        yield path
        yield from paths_of([f"{path} {below}" for below in SUBCOMMANDS.get(path, ())])


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
    paths = "|".join(f'" {path}"' for path in words if path)
    cases = "\n".join(
        f'        "{path and f" {path}"}") told="{" ".join(found)}" ;;'
        for path, found in words.items()
    )
    # In zsh, `path` and `words` are names with a meaning of their own.
    return f"""\
_hyp() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" behind="" told="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$behind ${{COMP_WORDS[i]}}" in
            {paths}) behind="$behind ${{COMP_WORDS[i]}}" ;;
        esac
    done
    case "$behind" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$told" -- "$word"))
}}
complete -o default -F _hyp hyp
"""


def _fish(words: Mapping[str, Sequence[str]]) -> str:
    paths = " ".join(f"' {path}'" for path in words if path)
    lines = [
        f"""\
function __hyp_behind
    set -l behind ''
    for word in (commandline -opc)[2..]
        if contains -- "$behind $word" {paths}
            set behind "$behind $word"
        end
    end
    test "$behind" = "$argv[1]"
end"""
    ]
    for path, found in words.items():
        behind = f"""-n "__hyp_behind '{path and f" {path}"}'\""""
        plain = [word for word in found if not word.startswith("--")]
        if plain:
            lines.append(f"complete -c hyp {behind} -f -a '{' '.join(plain)}'")
        lines += [
            f"complete -c hyp {behind} -l {word.removeprefix('--')}"
            for word in found
            if word.startswith("--")
        ]
    return "\n".join(lines) + "\n"
