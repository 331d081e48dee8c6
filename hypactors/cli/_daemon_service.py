"""``hyp daemon install``, ``uninstall``, ``start`` and ``restart``: the daemon as a service."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hypactors.errors import HypError
from hypactors.paths import HypHome, user_home
from hypactors.service import (
    STOP_MARGIN_S,
    CommandFailed,
    ServiceSpec,
    detect_service,
    run_command,
)
from hypactors.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hypactors.service import Service

RUN = ("-P", "-m", "hypactors", "daemon", "run", "--foreground")


def service_of(
    environ: Mapping[str, str], run: Callable[[Sequence[str]], None] = run_command
) -> Service:
    """Return the service of this home, installed or not."""
    home = HypHome.from_environ(environ)
    settings = load_settings(home, environ).settings
    spec = ServiceSpec(
        command=(sys.executable, *RUN),
        home=home.root,
        is_default_home=home.root == HypHome.from_environ({**environ, "HYP_HOME": ""}).root,
        log_dir=home.log_file.parent,
        stop_s=settings.settle_s + settings.grace_s + STOP_MARGIN_S,
    )
    return detect_service(spec, environ, user_home(environ), run=run)


def install(service: Service, *, only_print: bool) -> int:
    """Write the service file and start the service; without a manager say what to do."""
    if only_print:
        sys.stdout.write(f"# {service.file.path}\n{service.file.content().decode()}")
        return 0
    try:
        service.install()
    except CommandFailed as error:
        sys.stderr.write(
            f"hyp daemon: wrote {service.file.path}, but it could not be started: {error}\n"
        )
        return 1
    sys.stdout.write(f"hyp daemon: installed and started ({service.file.path})\n")
    if service.file.manager == "systemctl":
        sys.stdout.write(
            "hyp daemon: it runs while you are logged in; 'loginctl enable-linger' keeps it\n"
        )
    return 0


def uninstall(service: Service) -> int:
    try:
        was_there = service.uninstall()
    except CommandFailed as error:
        sys.stderr.write(f"hyp daemon: removed {service.file.path}, but: {error}\n")
        return 1
    text = f"removed {service.file.path}" if was_there else "it was not installed"
    sys.stdout.write(f"hyp daemon: {text}\n")
    return 0


def start(service: Service) -> int:
    _require(service)
    service.start()
    sys.stdout.write("hyp daemon: started\n")
    return 0


def restart(service: Service) -> int:
    """Stop it, which waits for live imports, and start it anew."""
    _require(service)
    service.restart()
    sys.stdout.write("hyp daemon: restarted\n")
    return 0


def describe(service: Service) -> str:
    """Return a line on the service, for a person."""
    state = service.state()
    if not state.is_installed:
        return "service: not installed ('hyp daemon install' does)"
    runs = {True: "running", False: "not running", None: "its manager is not here"}
    note = "" if state.is_current else "; not as this version writes it: install it again"
    return f"service: installed ({service.file.path}), {runs[state.is_running]}{note}"


def _require(service: Service) -> None:
    if not service.is_installed:
        raise HypError(
            "the service is not installed: 'hyp daemon install' does, "
            "and 'hyp daemon --actors' runs the daemon here"
        )
