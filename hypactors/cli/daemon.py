"""``hyp daemon``: run it, stop it, ask how it is."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from hypactors import control
from hypactors.cli._parser import Parser
from hypactors.errors import ControlError, HomeBusyError, HypError, UsageError
from hypactors.files import read_if_present
from hypactors.paths import HypHome
from hypactors.status import clean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from hypactors.config import ApplyChecks
    from hypactors.providers import InstalledPlugins

EXIT_FAILED = 1
EXIT_HOME_BUSY = 5

ONCE_TIMEOUT_S = 900.0
STOP_MARGIN_S = 10.0
"""How much longer than the settle budget ``hyp daemon stop`` waits (contract §1)."""
POLL_S = 0.05


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    if options.actors:
        return _run(options, environ)
    match options.subcommand:
        case "run":
            if not options.foreground:
                raise UsageError("run wants --foreground: the daemon does not detach by itself")
            return _run(options, environ)
        case "stop":
            return _stop(HypHome.from_environ(environ), environ, now=options.now)
        case "status":
            return _status(HypHome.from_environ(environ), as_json=options.json)
        case _:
            parser.print_help()
            return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="hyp daemon", description="Run the daemon of this HYP_HOME, or ask it something."
    )
    _add_run_options(parser)
    parser.add_argument(
        "--actors", action="store_true", help="run in the foreground until it is stopped"
    )
    commands = parser.add_subparsers(dest="subcommand", metavar="<subcommand>")
    run = commands.add_parser("run", help="the same as --actors")
    run.add_argument("--foreground", "-f", action="store_true", help="required: do not detach")
    _add_run_options(run)
    stop = commands.add_parser("stop", help="stop the daemon and wait until it has stopped")
    stop.add_argument("--now", action="store_true", help="cut imports short at their next commit")
    status = commands.add_parser("status", help="what the daemon last wrote about itself")
    status.add_argument("--json", action="store_true")
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="PATH", help="the local config file (HYP_CONFIG)")
    parser.add_argument(
        "--once", action="store_true", help="exit when nothing is wanted or running any more"
    )
    parser.add_argument(
        "--exit-on-apply",
        action="store_true",
        help="exit with 75 when the config changes, for a service manager that starts it anew",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        metavar="S",
        help=f"with --once: at the latest ({ONCE_TIMEOUT_S:g})",
    )


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from hypactors.actions import ProviderFault, ProviderRef
    from hypactors.actors import Daemon, Once
    from hypactors.clock import SystemClock
    from hypactors.providers import scan_providers
    from hypactors.settings import load_settings

    if options.timeout is not None and not options.once:
        raise UsageError("--timeout goes with --once")
    if options.config:
        environ = {**environ, "HYP_CONFIG": options.config}
    home = HypHome.from_environ(environ)
    loaded = load_settings(home, environ)
    installed = scan_providers()
    daemon = Daemon(
        home=home,
        environ=environ,
        loaded=loaded,
        providers=[ProviderRef(each.name, each.plugin) for each in installed.providers],
        faults=[ProviderFault(each.name, each.reason) for each in installed.faults],
        # -P: the folder that an import is started in must not shadow a module.
        import_command=loaded.settings.import_command or (sys.executable, "-P", "-m", "hypactors"),
        clock=SystemClock(),
        checks=_checks(installed.plugins),
        once=Once(options.timeout or ONCE_TIMEOUT_S) if options.once else None,
        exit_on_apply=options.exit_on_apply,
        stdout=sys.stdout,
        stderr=sys.stderr,
    )
    try:
        return daemon.run()
    except HomeBusyError as error:
        sys.stderr.write(f"hyp daemon: {error}\n")
        return EXIT_HOME_BUSY
    except OSError as error:
        raise HypError(f"cannot run on {home.root}: {error}") from error


def _checks(installed: InstalledPlugins) -> ApplyChecks:
    """Return what a served document is held against: the plugins that are installed here."""
    from functools import partial

    from hypactors.config import ApplyChecks, check_pins, validate_document

    return ApplyChecks(
        install=partial(check_pins, plugins=installed.catalogue),
        validate=partial(
            validate_document, plugins=installed.catalogue, sections=installed.sections
        ),
    )


def _stop(home: HypHome, environ: Mapping[str, str], *, now: bool) -> int:
    try:
        stopping = control.request(home, "stop", {"now": now}, timeout_s=5.0)
        pid, settle_s = int(stopping["pid"]), float(stopping["settle_s"])
        waits_for = ", ".join(map(str, stopping["waits_for"]))
    except ControlError:
        return _stop_by_signal(home, environ)
    if waits_for and not now:
        sys.stderr.write(f"hyp daemon: waits up to {settle_s:g} s for {waits_for} to finish\n")
    return _wait_until_gone(home, pid, settle_s)


def _stop_by_signal(home: HypHome, environ: Mapping[str, str]) -> int:
    """Stop a daemon that does not answer, if there is one; a signal waits until it can listen."""
    from hypactors.processes import is_live_daemon
    from hypactors.settings import load_settings

    pid = (_read_json(home, "pid_file") or {}).get("pid")
    if not isinstance(pid, int) or not is_live_daemon(pid):
        sys.stdout.write(f"hyp daemon: not running on {home.root}\n")
        return 0
    sys.stderr.write(f"hyp daemon: it does not answer; sent SIGTERM to pid {pid}\n")
    os.kill(pid, signal.SIGTERM)
    return _wait_until_gone(home, pid, load_settings(home, environ).settings.settle_s)


def _wait_until_gone(home: HypHome, pid: int, settle_s: float) -> int:
    deadline = time.monotonic() + settle_s + STOP_MARGIN_S
    while _owns(home, pid):
        if time.monotonic() > deadline:
            sys.stderr.write(
                f"hyp daemon: still running (pid {pid}); try 'hyp daemon stop --now', "
                f"or as a last resort 'kill -9 {pid}'\n"
            )
            return EXIT_FAILED
        time.sleep(POLL_S)
    sys.stdout.write("hyp daemon: stopped\n")
    return 0


def _owns(home: HypHome, pid: int) -> bool:
    """Say whether that daemon is still there: it removes its pid file last, and may be killed."""
    snapshot = _read_json(home, "pid_file")
    if snapshot is None or snapshot.get("pid") != pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _status(home: HypHome, *, as_json: bool) -> int:
    snapshot = _read_json(home, "status_file")
    if snapshot is None:
        answer: dict[str, Any] = {"running": False, "state": "unknown"}
        text = f"hyp daemon: not started on {home.root}"
    else:
        pid = snapshot.get("pid")
        running = isinstance(pid, int) and _owns(home, pid)
        answer = {"running": running, **snapshot}
        state = clean(snapshot.get("state"))
        text = f"hyp daemon: not running, last state={state}"
        if running:
            text = f"hyp daemon: running, state={state}, pid={pid}"
    sys.stdout.write((json.dumps(answer, indent=2) if as_json else text) + "\n")
    return 0


def _read_json(home: HypHome, which: str) -> dict[str, Any] | None:
    path = getattr(home, which)
    try:
        value = json.loads(read_if_present(path) or b"null")
    except (OSError, ValueError) as error:
        raise HypError(f"{path} cannot be read: {error}") from error
    return value if isinstance(value, dict) else None
