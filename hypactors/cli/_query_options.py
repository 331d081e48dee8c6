"""What the questions of ``hyp query`` have in common: where to ask, and for how long."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hypactors.lake import Lake
from hypactors.paths import HypHome

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
    home = HypHome.from_environ(environ)
    if options.catalog is None:
        return Lake.of(home)
    return Lake.described_by(Path(options.catalog), home.lake_dir)


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
