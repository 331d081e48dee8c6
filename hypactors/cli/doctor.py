"""``hyp doctor``: what may be wrong with this machine."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from hypactors.cli._parser import Parser
from hypactors.cli._style import is_coloured, styled
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from hypactors.doctor import Finding, Surroundings
    from hypactors.lake import Lake

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_NOTES = """\
exit code: 0 when nothing failed, 1 when something did

--fix repairs modes of our files, stale sockets and pid files, damaged state
files, and nothing else"""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Examine the machine, and with ``--fix`` repair what is on the short list."""
    parser = Parser(
        prog="hyp doctor",
        description="Check homes, modes, sockets, histories, config, server, service, clock, disk.",
        notes=_NOTES,
        examples={
            "hyp doctor": "what may be wrong, and what to type",
            "hyp doctor --fix": "repair what can be, then look again",
        },
    )
    parser.add_argument("--fix", action="store_true", help="repair what can be without asking")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    options = parser.parse_args(argv)
    from hypactors.doctor import examine, repair

    around = _surroundings(environ)
    findings = examine(around)
    done = repair(around, findings) if options.fix else []
    if done:
        findings = examine(around)
    if options.json:
        told = [
            {"check": f.check, "level": f.level, "message": f.message, "help": f.help or None}
            for f in findings
        ]
        sys.stdout.write(f"{json.dumps({'findings': told, 'repaired': done}, indent=2)}\n")
    else:
        _print(findings, done, environ)
    return int(any(finding.level == "fail" for finding in findings))


def _print(findings: Sequence[Finding], done: Sequence[str], environ: Mapping[str, str]) -> None:
    from hypactors.status import clean

    on = is_coloured(sys.stdout, environ)
    for finding in findings:
        level = styled(f"{finding.level:<4}", _COLOURS[finding.level], on=on)
        sys.stdout.write(f"{level}  {finding.check:<9}  {clean(finding.message, 400)}\n")
        if finding.level != "ok" and finding.help:
            sys.stdout.write(f"{'':17}{clean(finding.help, 400)}\n")
    for line in done:
        sys.stdout.write(f"fixed: {clean(line, 400)}\n")


def _surroundings(environ: Mapping[str, str]) -> Surroundings:
    import functools
    import shutil
    from datetime import UTC, datetime

    from hypactors.cli.status import report_of
    from hypactors.doctor import Surroundings

    home = HypHome.from_environ(environ)
    return Surroundings(
        home=home,
        environ=environ,
        now=datetime.now(UTC),
        report=report_of(home, environ),
        server_date=_server_date,
        ask_catalogue=_ask_catalogue,
        free_bytes=lambda path: shutil.disk_usage(path).free,
        service_state=lambda: _service_state(environ),
        histories=functools.cache(lambda: _histories(home, environ)),
    )


def _server_date(url: str, timeout_s: float) -> datetime | None:
    """Ask for the server's headers, without a word of who asks."""
    from email.utils import parsedate_to_datetime

    import httpx

    try:
        reply = httpx.head(url, timeout=timeout_s, follow_redirects=False, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(str(error) or type(error).__name__) from error
    try:
        return parsedate_to_datetime(reply.headers["date"])
    except (KeyError, ValueError, TypeError):
        return None


def _ask_catalogue(lake: Lake, timeout_s: float) -> None:
    """Ask for the table; a library that waits for ever is left behind."""
    import queue
    import threading

    from hypactors.errors import HypError

    answer: queue.SimpleQueue[HypError | None] = queue.SimpleQueue()

    def ask() -> None:
        from hypactors.cache import table_id

        try:
            table_id(lake)
        except HypError as error:
            answer.put(error)
        else:
            answer.put(None)

    threading.Thread(target=ask, daemon=True).start()
    try:
        error = answer.get(timeout=timeout_s)
    except queue.Empty:
        raise HypError(f"the catalogue {lake} has not answered in {timeout_s:g} s") from None
    if error is not None:
        raise error


def _service_state(environ: Mapping[str, str]) -> str | None:
    import shutil

    from hypactors.cli._daemon_service import describe, service_of
    from hypactors.errors import HypError

    try:
        service = service_of(environ)
    except HypError as error:
        return str(error)
    if shutil.which(service.file.manager) is None:
        return None
    if not service.is_installed:
        return "not installed"
    return describe(service).removeprefix("service: ")


def _histories(home: HypHome, environ: Mapping[str, str]) -> list[tuple[str, int, int, str]]:
    from hypactors.providers import Findings, ScanContext, Window, scan_providers

    installed = scan_providers()
    found = [(fault.name, 0, 0, fault.reason) for fault in installed.faults]
    for provider in installed.providers:
        findings = Findings()
        context = ScanContext(Window(), environ, home, lambda _plugin: True, findings)
        files = size = 0
        for source in provider.scan(context).sources:
            try:
                size += source.stat().st_size
            except OSError:
                continue
            files += 1
        trouble = f"left out {findings.summary()}" if findings.totals else ""
        found.append((provider.name, files, size, trouble))
    return found
