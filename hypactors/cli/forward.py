"""``hyp forward``: send what is new to the central server, once. The daemon runs it on schedule."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from hypactors.cli._forwarding import find_sinks, pick_sink, rows_elsewhere, run_export
from hypactors.cli._parser import Parser
from hypactors.errors import ExportBusyError
from hypactors.forward import describe_until
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypactors.cli._forwarding import Exported
    from hypactors.forward import Sent

_BUSY = 6
_SAY_EVERY_S = 0.25


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one export. Exit 1 says: not all was sent; 6: another export of that sink runs."""
    parser = Parser(
        prog="hyp forward",
        description="Send new rows to the central server once.",
        examples={"hyp forward": "", "hyp forward --json": "what was sent, for a program"},
    )
    parser.add_argument("sink", nargs="?", help="the name of a central sink, if there are several")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    options = parser.parse_args(argv)
    home = HypHome.from_environ(environ)
    sink = pick_sink(find_sinks(home, environ), options.sink)
    elsewhere = rows_elsewhere(home, environ)
    if elsewhere is not None:
        sys.stderr.write(f"hyp forward: {elsewhere}\n")
    progress = Progress(is_shown=not options.json and sys.stderr.isatty())
    began = time.monotonic()
    try:
        exported = run_export(home, environ, sink, on_sent=progress.show)
    except ExportBusyError as busy:
        sys.stderr.write(f"hyp forward: {busy}\n")
        return _BUSY
    finally:
        progress.clear()
    elapsed_s = time.monotonic() - began
    if options.json:
        document = describe(exported, sink.name)
        sys.stdout.write(f"{json.dumps({**document, 'elapsed_s': round(elapsed_s, 3)})}\n")
    else:
        sys.stdout.write(f"{in_words(exported, elapsed_s)}\n")
    return 0 if exported.status in {"exported", "held"} else 1


class Progress:
    """How far an export is, on one line of a terminal."""

    def __init__(self, *, is_shown: bool) -> None:
        self._is_shown = is_shown
        self._said_at = 0.0

    def show(self, sent: Sent) -> None:
        now = time.monotonic()
        if self._is_shown and now - self._said_at >= _SAY_EVERY_S:
            self._said_at = now
            text = f"{sent.rows} rows, {megabytes(sent.sent_bytes)} sent"
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._is_shown and self._said_at:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def describe(exported: Exported, sink: str) -> dict[str, Any]:
    """Return an export as JSON has it."""
    sent = exported.sent
    return {
        "sink": sink,
        "status": exported.status,
        "rows": sent.rows if sent else 0,
        "bytes": sent.sent_bytes if sent else 0,
        "batches": sent.batches if sent else 0,
        "withheld": sent.withheld if sent else 0,
        "set_aside": sent.set_aside if sent else 0,
        "stopped": bool(sent and sent.is_stopped),
        "held_until": describe_until(exported.hold.until) if exported.hold else None,
        "error": exported.result.error,
    }


def in_words(exported: Exported, elapsed_s: float) -> str:
    """Return an export as a person reads it."""
    if exported.hold is not None:
        return (
            f"nothing is sent before {describe_until(exported.hold.until)};"
            " 'hyp sync' shows what will leave, and lets it go now"
        )
    sent = exported.sent
    if sent is None:
        return "nothing to send"
    text = f"{sent.rows} rows sent, {megabytes(sent.sent_bytes)} in {elapsed_s:.1f} s"
    if sent.withheld:
        text += f", {sent.withheld} stay on this machine"
    if sent.set_aside:
        text += f", {sent.set_aside} refused by the server and set aside"
    if sent.is_stopped:
        text += "; stopped, the rest goes next time"
    if sent.error is not None:
        text += f"; not all: {sent.error}"
    return text


def megabytes(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB"
