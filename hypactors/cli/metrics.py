"""``hyp metrics``: the live daemon in the exposition format of Prometheus."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hypactors import control
from hypactors.cli._parser import Parser
from hypactors.errors import ControlError
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXIT_NO_DAEMON = 4
TIMEOUT_S = 5.0

_EXAMPLES = {
    "hyp metrics": "",
    "hyp metrics > x.tmp; mv x.tmp /var/lib/node_exporter/hyp.prom": "",
}


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the metrics. Without a daemon they say that it is down, and the exit code is 4."""
    Parser(
        prog="hyp metrics",
        description="What the daemon does, in the text format that Prometheus reads.",
        notes="The second example is for node_exporter's textfile collector.",
        examples=_EXAMPLES,
    ).parse_args(argv)
    from hypactors.cli._metric_families import exposition

    try:
        answer = control.request(HypHome.from_environ(environ), "metrics", timeout_s=TIMEOUT_S)
    except ControlError as error:
        sys.stdout.write(exposition(None))
        sys.stderr.write(f"hyp metrics: {error}\n")
        return EXIT_NO_DAEMON
    sys.stdout.write(exposition(answer if isinstance(answer, dict) else {}))
    return 0
