"""``hyp config``: what is in force and where it comes from; does a document make sense."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hypactors.cli._config_view import LAYERS, describe, render_text
from hypactors.cli._parser import Parser
from hypactors.config import DocumentError, parse_document, resolve_layers, validate_document
from hypactors.paths import HypHome
from hypactors.providers import find_plugins
from hypactors.status import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypactors.config import ConfigDocument
    from hypactors.providers import InstalledPlugins


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one ``hyp config`` command. Exit 1 says: not usable as it is."""
    parser = _parser()
    options = parser.parse_args(argv)
    home = HypHome.from_environ(environ)
    match options.subcommand:
        case "show":
            return _show(home, environ, options.layer, as_json=options.json)
        case "validate":
            path = options.file or home.local_config(environ)
            return _validate(path, as_json=options.json)
        case _:
            parser.print_help()
            return 0


def _parser() -> Parser:
    parser = Parser(
        prog="hyp config",
        description="Show the config of this machine, or check a document.",
        examples={
            "hyp config show": "what is in force, and where it comes from",
            "hyp config validate": "whether the local document makes sense",
        },
    )
    add = parser.add_commands("subcommand")
    show = add(
        "show",
        "the config that is in force, or one layer of it",
        {
            "hyp config show": "what is in force, and where it comes from",
            "hyp config show --central": "what the server wants",
        },
    )
    choice = show.add_mutually_exclusive_group()
    for layer, what in LAYERS.items():
        choice.add_argument(
            f"--{layer}", dest="layer", action="store_const", const=layer, help=what
        )
    show.set_defaults(layer="effective")
    show.add_argument("--json", action="store_true", help="print it as JSON")
    validate = add(
        "validate",
        "check a document, by default the local one",
        {"hyp config validate": "the local one", "hyp config validate new.json": ""},
    )
    validate.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the document")
    validate.add_argument("--json", action="store_true", help="print what is wrong as JSON")
    return parser


def _show(home: HypHome, environ: Mapping[str, str], layer: str, *, as_json: bool) -> int:
    layers = resolve_layers(home, environ, contributed=_installed().catalogue)
    view = describe(layers, layer)
    _print(json.dumps(view, indent=2) if as_json else render_text(view))
    if view["config"] is not None:
        return 0
    is_broken = any(layer in {"effective", problem.layer} for problem in layers.problems)
    return 1 if is_broken else 0


def _validate(path: Path, *, as_json: bool) -> int:
    document, errors = _check(path)
    if as_json:
        result = {"ok": not errors, "path": str(path), "errors": errors}
        _print(json.dumps(result, indent=2))
    elif errors:
        count = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
        _print(f"config invalid: {_shown(str(path))} ({count})")
        for error in errors:
            at = error["pointer"] or "<root>"
            _print(f"  {_shown(at)}: {_shown(error['message'])}  [{error['kind']}]")
    elif document is not None:
        counts = f"plugins={len(document.plugins)}, sinks={len(document.sinks)}"
        _print(f"config ok: {_shown(str(path))} ({counts})")
    return 1 if errors else 0


def _check(path: Path) -> tuple[ConfigDocument | None, list[dict[str, str]]]:
    """Return the document of a file, and all that is wrong with it."""
    try:
        document = parse_document(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None, [_error("config_missing", "", "there is no such file")]
    except OSError as error:
        return None, [_error("config_unreadable", "", f"cannot be read ({error.strerror})")]
    except DocumentError as error:
        return None, [_error(error.kind, each.pointer, each.message) for each in error.errors]
    installed = _installed()
    errors = validate_document(
        document,
        plugins=installed.catalogue,
        datasets=installed.datasets,
        sections=installed.sections,
        on_broken_section=_complain_about_section,
    )
    return document, [_error(each.kind, each.pointer, each.message) for each in errors]


def _error(kind: str, pointer: str, message: str) -> dict[str, str]:
    return {"kind": kind, "pointer": pointer, "message": message}


def _installed() -> InstalledPlugins:
    installed = find_plugins()
    for note in installed.notes:
        _complain(f"{note} (going on without it)")
    return installed


def _complain_about_section(plugin: str, error: Exception) -> None:
    _complain(f"the config of {plugin} cannot be checked by its own rules: {error}")


def _complain(text: str) -> None:
    sys.stderr.write(f"hyp config: {_shown(text)}\n")


def _shown(text: str) -> str:
    """Return all of ``text`` that a terminal can be trusted with."""
    return clean(text, len(text))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
