"""``hyp status``: the report of the running daemon, else of the files.

With a daemon this loads next to nothing, as the report arrives finished.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from hypactors import control, status
from hypactors.cli._style import is_coloured, styled
from hypactors.errors import ControlError
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE = "usage: hyp status [--json | --check | --watch [SECONDS]]"
HELP = f"""\
{USAGE}

What this machine does, whether it runs what its server wants, and what needs
attention. Asks the daemon, and reads its files when none answers within
{{timeout_s:g}} s. Changes nothing.

  --json             the report as JSON
  --check            one line, and an exit code for monitoring: 0 all is well,
                     10 something needs attention, 11 degraded,
                     12 the daemon does not run
  --watch [SECONDS]  show it again and again (2)

examples:
  hyp status --check || hyp status
  hyp status --json
"""
TIMEOUT_S = 2.0
"""A daemon that hangs costs so much; then the files are read."""

EXIT_ATTENTION, EXIT_DEGRADED, EXIT_NOT_RUNNING = 10, 11, 12


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the report. Exit 0 whatever the health is, 2 for arguments that make no sense.

    With ``--check`` the exit code says how it is (contract §4).
    """
    if "-h" in argv or "--help" in argv:
        sys.stdout.write(HELP.format(timeout_s=TIMEOUT_S))
        return 0
    home = HypHome.from_environ(environ)
    match [*argv]:
        case [] | ["--json"]:
            report = report_of(home, environ)
            text = json.dumps(report, indent=2) if argv else _in_words(report, environ)
            sys.stdout.write(f"{text}\n")
            return 0
        case ["--check"]:
            return _check(report_of(home, environ))
        case ["--watch"]:
            return _watch(home, environ, "2")
        case ["--watch", seconds]:
            return _watch(home, environ, seconds)
        case [word] if word.startswith("--watch="):
            return _watch(home, environ, word.removeprefix("--watch="))
    sys.stderr.write(f"hyp status: {_fault(argv)}\n")
    return 2


def _fault(argv: Sequence[str]) -> str:
    from hypactors.cli._suggestion import no_such

    known = ("--json", "--check", "--watch")
    unknown = next((word for word in argv if word not in known), None)
    if unknown is None:
        return f"these do not go together: {' '.join(argv)}; {USAGE}"
    if unknown.startswith("-"):
        return no_such("option", unknown.partition("=")[0], known, of="hyp status")
    return f"unknown argument {unknown!r}; {USAGE}"


def report_of(home: HypHome, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the daemon's report, or one from files when none answers in time."""
    try:
        report = control.request(home, "status", timeout_s=TIMEOUT_S)
    except ControlError:
        report = None
    return report if isinstance(report, dict) else report_from_files(home, environ)


def _in_words(report: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    on = is_coloured(sys.stdout, environ)
    return status.render_text(report, lambda text, style: styled(text, style, on=on))


def _check(report: Mapping[str, Any]) -> int:
    code, text = verdict(report)
    sys.stdout.write(f"{text}\n")
    return code


def verdict(report: Mapping[str, Any]) -> tuple[int, str]:
    """Return the exit code for monitoring and a line that says why (contract §4)."""
    daemon = status.object_of(report, "daemon")
    wanting = status.rows_of(report, "attention")
    said = "".join(f"; {status.clean(row.get('message'), 200)}" for row in wanting[:1])
    if not daemon.get("running"):
        return EXIT_NOT_RUNNING, f"NOT RUNNING{said}"
    if report.get("overall") != "healthy" or daemon.get("state") == "degraded":
        return EXIT_DEGRADED, f"DEGRADED{said}"
    if wanting:
        return EXIT_ATTENTION, f"ATTENTION{said}"
    return 0, "OK"


def _watch(home: HypHome, environ: Mapping[str, str], text: str) -> int:
    from hypactors.cli._watch import LEAST_S, LONGEST_S, watch

    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not LEAST_S <= seconds <= LONGEST_S:
        sys.stderr.write(
            f"hyp status: --watch expects seconds from {LEAST_S:g} to {LONGEST_S:g} (got {text})\n"
        )
        return 2
    return watch(lambda: _in_words(report_of(home, environ), environ), seconds, sys.stdout)


def report_from_files(home: HypHome, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what the files say; a provider that is broken is said on stderr."""
    # Loaded only here: with a daemon, none of this is needed.
    from hypactors.actions import ProviderFault
    from hypactors.cli._providers import provider_refs
    from hypactors.providers import scan_providers

    installed = scan_providers()
    for fault in installed.faults:
        sys.stderr.write(f"hyp status: {fault.reason}\n")
    return status.collect_report(
        home,
        environ,
        providers=provider_refs(installed.providers),
        faults=[ProviderFault(fault.name, fault.reason) for fault in installed.faults],
        live=None,
    )
