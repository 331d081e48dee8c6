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
            return _status(HypHome.from_environ(environ), environ, as_json=options.json)
        case "install" | "uninstall" | "start" | "restart":
            return _service(options, environ)
        case _:
            parser.print_help()
            return 0


def _parser() -> Parser:
    parser = Parser(
        prog="hyp daemon",
        description="Run the daemon of this HYP_HOME, or ask it something.",
        examples={
            "hyp daemon --actors": "run it here, until Ctrl-C",
            "hyp daemon --actors --once": "do what is wanted now, then exit",
            "hyp daemon install": "run it as a service, now and after a reboot",
        },
    )
    _add_run_options(parser)
    parser.add_argument(
        "--actors", action="store_true", help="run in the foreground until it is stopped"
    )
    add = parser.add_commands("subcommand")
    run = add(
        "run", "run it here until it is stopped", {"hyp daemon run --foreground": "as --actors"}
    )
    run.add_argument("--foreground", "-f", action="store_true", help="required: do not detach")
    _add_run_options(run)
    stop = add(
        "stop",
        "stop the daemon and wait until it has stopped",
        {
            "hyp daemon stop": "lets an import that runs come to its end",
            "hyp daemon stop --now": "cuts it short at its next commit",
        },
    )
    stop.add_argument("--now", action="store_true", help="cut imports short at their next commit")
    install = add(
        "install",
        "write the service file and start the service",
        {"hyp daemon install": "", "hyp daemon install --print": "only look at the file"},
    )
    install.add_argument("--print", action="store_true", help="show the file, write nothing")
    for name, says in (
        ("uninstall", "stop the service and remove its file"),
        ("start", "start the installed service"),
        ("restart", "stop the installed service and start it anew"),
    ):
        add(name, says, {f"hyp daemon {name}": ""})
    status = add(
        "status",
        "what the daemon last wrote about itself",
        {"hyp daemon status": "", "hyp daemon status --json": "with the state of the service"},
    )
    status.add_argument("--json", action="store_true", help="print it as JSON")
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
    from hypactors.actions import ProviderFault
    from hypactors.actors import Daemon, Once
    from hypactors.cli._providers import provider_refs
    from hypactors.clock import SystemClock
    from hypactors.providers import scan_providers
    from hypactors.service import Notifier
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
        providers=provider_refs(installed.providers),
        faults=[ProviderFault(each.name, each.reason) for each in installed.faults],
        # -P: the folder that an import is started in must not shadow a module.
        import_command=loaded.settings.import_command or (sys.executable, "-P", "-m", "hypactors"),
        clock=SystemClock(),
        checks=_checks(installed.plugins),
        once=Once(options.timeout or ONCE_TIMEOUT_S) if options.once else None,
        exit_on_apply=options.exit_on_apply,
        notifier=Notifier.from_environ(environ),
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


def _service(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from hypactors.cli import _daemon_service as commands

    service = commands.service_of(environ)
    match options.subcommand:
        case "install":
            return commands.install(service, only_print=options.print)
        case "uninstall":
            return commands.uninstall(service)
        case "start":
            return commands.start(service)
        case _:
            return commands.restart(service)


def _stop(home: HypHome, environ: Mapping[str, str], *, now: bool) -> int:
    try:
        stopping = control.request(home, "stop", {"now": now}, timeout_s=5.0)
        pid, settle_s = int(stopping["pid"]), float(stopping["settle_s"])
        waits_for = [str(name) for name in stopping["waits_for"]]
    except ControlError:
        return _stop_by_signal(home, environ)
    if waits_for and not now:
        _complain(
            f"waits up to {settle_s:g} s for {', '.join(waits_for)} to finish; "
            "'hyp daemon stop --now' interrupts"
        )
    return _wait_until_gone(home, pid, settle_s, waits_for)


def _stop_by_signal(home: HypHome, environ: Mapping[str, str]) -> int:
    """Stop a daemon that does not answer, if there is one; a signal waits until it can listen."""
    from hypactors.processes import is_live_daemon
    from hypactors.settings import load_settings

    pid = (_read_json(home, "pid_file") or {}).get("pid")
    if not isinstance(pid, int) or not is_live_daemon(pid):
        sys.stdout.write(f"hyp daemon: not running on {home.root}\n")
        return 0
    _complain(f"it does not answer; sent SIGTERM to pid {pid}")
    os.kill(pid, signal.SIGTERM)
    return _wait_until_gone(home, pid, load_settings(home, environ).settings.settle_s, [])


def _wait_until_gone(home: HypHome, pid: int, settle_s: float, waits_for: list[str]) -> int:
    """Wait, naming each import that has settled meanwhile."""
    deadline = time.monotonic() + settle_s + STOP_MARGIN_S
    while _owns(home, pid):
        if time.monotonic() > deadline:
            _complain(
                f"still running (pid {pid}); try 'hyp daemon stop --now', "
                f"or as a last resort 'kill -9 {pid}'"
            )
            return EXIT_FAILED
        if waits_for:
            waits_for = _settled_meanwhile(home, waits_for)
        time.sleep(POLL_S)
    sys.stdout.write("hyp daemon: stopped\n")
    return 0


def _settled_meanwhile(home: HypHome, waits_for: list[str]) -> list[str]:
    try:
        busy = control.request(home, "ping", timeout_s=1.0)["busy"]
    except (ControlError, KeyError, TypeError):
        return waits_for
    for name in waits_for:
        if name not in busy:
            _complain(f"{name} has finished")
    return [name for name in waits_for if name in busy]


def _complain(text: str) -> None:
    sys.stderr.write(f"hyp daemon: {text}\n")


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


def _status(home: HypHome, environ: Mapping[str, str], *, as_json: bool) -> int:
    from hypactors.cli._daemon_service import describe, service_of

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
    service = service_of(environ)
    if as_json:
        found = service.state()
        answer["service"] = {
            "path": str(service.file.path),
            "installed": found.is_installed,
            "current": found.is_current,
            "running": found.is_running,
        }
        text = json.dumps(answer, indent=2)
    else:
        text = f"{text}\n{describe(service)}"
    sys.stdout.write(f"{text}\n")
    return 0


def _read_json(home: HypHome, which: str) -> dict[str, Any] | None:
    path = getattr(home, which)
    try:
        value = json.loads(read_if_present(path) or b"null")
    except (OSError, ValueError) as error:
        raise HypError(f"{path} cannot be read: {error}") from error
    return value if isinstance(value, dict) else None
