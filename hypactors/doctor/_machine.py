"""Checks of what is around our files: histories, config, server, service, clock, disk."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypactors.config import machine_lake
from hypactors.doctor._finding import Finding
from hypactors.errors import ConfigError, HypError
from hypactors.files import OPEN_TO_OTHERS
from hypactors.lake.redaction import secrets_in
from hypactors.observability import otlp_target
from hypactors.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypactors.doctor._finding import Surroundings

_SERVER_S = 5.0
_CATALOGUE_S = 15.0
"""More than for a server: what it is asked with takes a second to load."""
_DRIFT = timedelta(minutes=5)
"""More than this, and identities are refused as expired or not valid yet."""
_FIRST_SANE = datetime(2025, 1, 1, tzinfo=UTC)
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 2 * 1024**3, 200 * 1024**2
# A cache takes some 30 % of the transcripts, and an import a little beside it.
_CACHE_SHARE = 0.4


def check_histories(around: Surroundings) -> Iterator[Finding]:
    for name, files, size, trouble in around.histories():
        if trouble:
            yield Finding("history", "warn", f"{name}: {trouble}", f"hyp backfill {name} --dry-run")
        elif files:
            yield Finding("history", "ok", f"{name}: {files:,} files, {size / 1e6:,.1f} MB")
        else:
            yield Finding("history", "ok", f"{name}: none on this machine")


def check_config(around: Surroundings) -> Iterator[Finding]:
    errors = [row for row in around.report["diagnostics"] if row["severity"] == "error"]
    for row in errors:
        if row["kind"] == "config_missing":
            message = "no config yet: a join brings one; imports by hand need none"
            yield Finding("config", "warn", message, "hyp join URL --token-file FILE")
        else:
            yield Finding("config", "fail", row["message"], "hyp config show")
    if not errors:
        yield Finding("config", "ok", "can be used")


def check_server(around: Surroundings) -> Iterator[Finding]:
    """Whether the server of a joined machine is there, and what time it has."""
    if around.now < _FIRST_SANE:
        yield Finding("clock", "fail", f"it says {around.now:%Y-%m-%d}", "set the clock")
    link = around.report["link"]
    if link is None:
        if around.report["config_layers"] is None:
            yield Finding("server", "ok", "none: this machine has not joined")
        else:
            message = "it is asked by the daemon alone, and none answers"
            yield Finding("server", "warn", message, "hyp daemon start")
        return
    try:
        date = around.server_date(link["url"], _SERVER_S)
    except OSError as error:
        message = f"{link['url']} cannot be reached: {error}"
        yield Finding("server", "fail", message, "check the network, or ask who runs it")
        return
    yield Finding("server", "ok", f"{link['url']} answers")
    if date is None:
        return
    drift = abs(around.now - date)
    if drift > _DRIFT:
        message = f"it is {round(drift.total_seconds() / 60)} minutes off the server's"
        yield Finding("clock", "fail", message, "timedatectl set-ntp true")
    else:
        yield Finding("clock", "ok", "it agrees with the server's")


def check_export(around: Surroundings) -> Iterator[Finding]:
    """Whether logs and traces can be exported, where the settings ask for it."""
    file = around.home.settings_file
    try:
        settings = load_settings(around.home, around.environ).settings
    except ConfigError as error:
        yield Finding("settings", "fail", str(error), f"edit {file}")
        return
    try:
        target = otlp_target(settings, around.home)
    except ConfigError as error:
        yield Finding("export", "warn", str(error), f"mend it, or take [otlp] out of {file}")
        return
    if target is None:
        return
    try:
        around.server_date(target.endpoint, _SERVER_S)
    except OSError as error:
        message = f"{target.endpoint} cannot be reached: {error}"
        yield Finding("export", "warn", message, "start the collector, or ask who runs it")
    else:
        yield Finding("export", "ok", f"logs and traces go to {target.endpoint}")


def check_catalogue(around: Surroundings) -> Iterator[Finding]:
    """Whether the catalogue that others share is there, where one is configured."""
    try:
        lake = machine_lake(around.home, around.environ)
    except ConfigError:  # the config has a check of its own
        return
    if not lake.is_shared:
        return
    try:
        around.ask_catalogue(lake, _CATALOGUE_S)
    except HypError as error:
        yield Finding("catalogue", "fail", str(error), "hyp config show --local")
    else:
        yield Finding("catalogue", "ok", f"{lake} answers")
    path = around.home.local_config(around.environ)
    if secrets_in(lake.properties) and path.stat().st_mode & OPEN_TO_OTHERS:
        message = f"{path} holds a secret of the catalogue, and others can read it"
        yield Finding("catalogue", "warn", message, f"chmod 600 {shlex.quote(str(path))}")


def check_service(around: Surroundings) -> Iterator[Finding]:
    state = around.service_state()
    if state is None:
        message = "no systemd or launchd of yours: start the daemon by other means"
        yield Finding("service", "warn", message, "hyp daemon --actors")
    elif state == "not installed" and around.report["config_layers"] is not None:
        yield Finding("service", "warn", "the daemon is not a service", "hyp daemon install")
    else:
        yield Finding("service", "ok", state)


def check_disk(around: Surroundings) -> Iterator[Finding]:
    root = around.home.root
    while not root.exists():
        root = root.parent
    free = around.free_bytes(root)
    history = sum(size for _, _, size, _ in around.histories())
    wanted = max(_LITTLE_BYTES, int(history * _CACHE_SHARE))
    message = f"{free / 1e9:,.1f} GB free for the cache"
    if free < _TOO_LITTLE_BYTES:
        yield Finding("disk", "fail", message, f"make room on the file system of {root}")
    elif free < wanted:
        message += f"; an import may want {wanted / 1e9:,.1f} GB"
        yield Finding("disk", "warn", message, f"make room on the file system of {root}")
    else:
        yield Finding("disk", "ok", message)


def check_version(around: Surroundings) -> Iterator[Finding]:
    from hypactors import __version__  # noqa: PLC0415 - that of this program

    del around
    yield Finding("version", "ok", f"hypactors {__version__}, Python {sys.version.split()[0]}")
