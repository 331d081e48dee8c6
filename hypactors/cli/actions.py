"""``hyp actions``: what the config has this machine do, why it is as it is, and once more."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from hypactors import control, status
from hypactors.cli._parser import Parser
from hypactors.cli.status import report_from_files
from hypactors.errors import ControlError, HomeBusyError, HypError, UsageError
from hypactors.paths import HypHome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

TIMEOUT_S = 5.0
EXIT_NO_DAEMON = 4


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    home = HypHome.from_environ(environ)
    match options.subcommand:
        case "list":
            return _list(home, environ, as_json=options.json)
        case "explain":
            rows, _ = _rows(home, environ)
            _print("\n".join(status.explain(status.find_row(rows, options.action))))
            return 0
        case "retry":
            return _retry(home, environ, options)
        case "forget":
            return _forget(home, environ, options.action, is_sure=options.yes)
        case _:
            parser.print_help()
            return 0


def _parser() -> Parser:
    parser = Parser(
        prog="hyp actions",
        description="What the config has this machine do: list it, ask why, do it again.",
        examples={
            "hyp actions list": "every action and its state",
            "hyp actions explain claude": "why one is in its state, and what to type",
        },
    )
    add = parser.add_commands("subcommand")
    listing = add(
        "list",
        "every action and its state",
        {"hyp actions list": "", "hyp actions list --json": "for a program"},
    )
    listing.add_argument("--json", action="store_true", help="print them as JSON")
    explain = add(
        "explain",
        "why one is in its state, and what to type",
        {"hyp actions explain claude": ""},
    )
    explain.add_argument("action", help="its key, or the last word of it")
    retry = add(
        "retry",
        "try one now, whatever it waits for",
        {
            "hyp actions retry claude": "this one",
            "hyp actions retry --all-failed": "each that failed or was refused",
        },
    )
    retry.add_argument("action", nargs="?", help="its key, or the last word of it")
    retry.add_argument("--all-failed", action="store_true", help="all that failed or were refused")
    forget = add(
        "forget",
        "drop the record of one; it may be done again",
        {"hyp actions forget claude": "", "hyp actions forget claude --yes": "in a script"},
    )
    forget.add_argument("action", help="its key, or the last word of it")
    forget.add_argument("--yes", "-y", action="store_true", help="do not ask")
    return parser


def _list(home: HypHome, environ: Mapping[str, str], *, as_json: bool) -> int:
    rows, is_live = _rows(home, environ)
    if as_json:
        source = "daemon" if is_live else "files"
        _print(json.dumps({"source": source, "actions": rows}, indent=2))
        return 0
    if not is_live:
        _complain("no daemon answers: this is what the files say")
    _print("\n".join(status.render_actions(rows)) or "no actions")
    return 0


def _retry(home: HypHome, environ: Mapping[str, str], options: argparse.Namespace) -> int:
    if (options.action is None) is not options.all_failed:
        raise UsageError("retry wants an action or --all-failed")
    rows, is_live = _rows(home, environ)
    if options.all_failed:
        chosen = [row for row in rows if row["state"] in {"failed", "refused"}]
    else:
        chosen = [status.find_row(rows, options.action)]
    if not is_live:
        _complain("no daemon runs, so nobody would try it: start one with 'hyp daemon --actors'")
        return EXIT_NO_DAEMON
    for row in chosen:
        is_short = row["state"] == "done" and "covered_days" in row  # of what the policy asks for
        if row["state"] in {"done", "n/a", "running", "blocked"} and not is_short:
            raise HypError(f"{row['request_key']} is {row['state']}: there is nothing to retry")
    control.request(home, "actions.retry", {"units": _units(chosen)}, timeout_s=TIMEOUT_S)
    _print("\n".join(f"trying {row['request_key']} now" for row in chosen) or "nothing has failed")
    return 0


def _forget(home: HypHome, environ: Mapping[str, str], word: str, *, is_sure: bool) -> int:
    rows, is_live = _rows(home, environ)
    row = status.find_row(rows, word)
    key = str(row["request_key"])
    if row["state"] not in {"done", "failed", "refused"}:
        raise HypError(f"{key} is {row['state']}: nothing is recorded that could be forgotten")
    if row["state"] == "done" and not is_sure and not _agrees(key):
        return 1
    if is_live:
        control.request(home, "actions.forget", {"units": _units([row])}, timeout_s=TIMEOUT_S)
    else:
        _forget_on_disk(home, str(row["kind"]), key)
    _print(f"forgotten: {key}")
    return 0


def _agrees(key: str) -> bool:
    """Ask whoever types; nobody there has not agreed."""
    if not sys.stdin.isatty():
        raise UsageError(f"{key} is done, and would be done again: say --yes")
    sys.stderr.write(f"{key} is done; when it is forgotten it is done again. Forget it? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _forget_on_disk(home: HypHome, kind: str, key: str) -> None:
    from hypactors.actions import clear_marker
    from hypactors.actors import own_home
    from hypactors.clock import SystemClock

    try:
        with own_home(home):  # the marker store of a daemon that starts must not be overtaken
            clear_marker(home, kind, key, now=SystemClock().now())
    except HomeBusyError as error:
        raise HypError(
            f"a daemon runs and does not answer, so nothing was done: {error}"
        ) from error


def _rows(home: HypHome, environ: Mapping[str, str]) -> tuple[Sequence[Mapping[str, Any]], bool]:
    """Return the rows, and whether a daemon gave them."""
    try:
        answer = control.request(home, "actions.list", timeout_s=TIMEOUT_S)
        return list(answer["actions"]), True
    except (ControlError, KeyError, TypeError):
        report = report_from_files(home, environ)
        return list(report["client_actions"] or []), False


def _units(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [[str(row["kind"]), str(row["request_key"])] for row in rows]


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"hyp actions: {text}\n")
