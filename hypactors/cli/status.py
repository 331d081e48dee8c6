"""``hyp status [--json]``: the report of the running daemon, else of the files.

With a daemon this loads next to nothing, as the report arrives finished.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from hypactors import control, status
from hypactors.errors import ControlError
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE = "usage: hyp status [--json]"
TIMEOUT_S = 5.0


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the report. Exit 0 whatever the health is, 2 for arguments that make no sense."""
    if "-h" in argv or "--help" in argv:
        sys.stdout.write(f"{USAGE}\n")
        return 0
    unknown = next((word for word in argv if word != "--json"), None)
    if unknown is not None:
        sys.stderr.write(f"hyp status: unknown argument {unknown!r}; {USAGE}\n")
        return 2
    report = _report(HypHome.from_environ(environ), environ)
    text = json.dumps(report, indent=2) if "--json" in argv else status.render_text(report)
    sys.stdout.write(f"{text}\n")
    return 0


def _report(home: HypHome, environ: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        report = control.request(home, "status", timeout_s=TIMEOUT_S)
    except ControlError:
        report = None
    return report if isinstance(report, dict) else report_from_files(home, environ)


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
