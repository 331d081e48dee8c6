"""What the questions of ``hyp query`` have in common: where to ask, and for how long."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hypactors.config import machine_lake
from hypactors.errors import ConfigError
from hypactors.lake import Lake
from hypactors.paths import HypHome
from hypactors.status import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 60.0

_LONGEST_S = 7 * 86_400.0


def add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_S,
        metavar="S",
        help=f"end it after S seconds of work ({TIMEOUT_S:g})",
    )
    parser.add_argument(
        "--catalog",
        metavar="FILE",
        help="ask the catalogue that this TOML file describes with pyiceberg's properties",
    )


def lake_of(options: argparse.Namespace, environ: Mapping[str, str]) -> Lake:
    """Return where to ask: what the option names, else where this machine keeps its rows."""
    home = HypHome.from_environ(environ)
    if options.catalog is not None:
        return Lake.described_by(Path(options.catalog), home.lake_dir)
    return lake_of_machine(home, environ)


def lake_of_machine(home: HypHome, environ: Mapping[str, str]) -> Lake:
    """Return where this machine keeps its rows; with a config that cannot be read, its own cache.

    That is where an import puts them then.
    """
    try:
        return machine_lake(home, environ)
    except ConfigError as error:
        sys.stderr.write(f"hyp: {clean(str(error), 400)} (going on without it)\n")
        return Lake.of(home)


def print_json(value: object) -> None:
    text = json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False)
    sys.stdout.write(f"{text}\n")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"expects a number of seconds (got {text})")
    return seconds
