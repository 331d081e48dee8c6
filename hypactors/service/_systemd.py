"""A user unit for systemd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.service._spec import (
    EXIT_GAVE_UP,
    EXIT_HOME_BUSY,
    EXIT_RESTART,
    EXIT_USAGE,
    RESTART_AFTER_S,
    WATCHDOG_S,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hypactors.service._spec import ServiceSpec


class SystemdUnit:
    """The unit of one daemon, and the commands that manage it."""

    manager = "systemctl"

    def __init__(self, spec: ServiceSpec, environ: Mapping[str, str], user_home: Path) -> None:
        self._spec = spec
        config = environ.get("XDG_CONFIG_HOME") or ""
        base = user_home / ".config" if not config.startswith("/") else user_home / config
        self.path = base / "systemd" / "user" / f"{spec.name}.service"
        self._unit = f"{spec.name}.service"

    def content(self) -> bytes:
        """Return the unit file. Raises ``HypError`` for a path that it cannot hold."""
        spec = self._spec
        spec.check()
        command = " ".join(quoted(word, in_command=True) for word in spec.command)
        lines = [
            "[Unit]",
            "Description=hyp: one queryable history of coding agents",
            "StartLimitIntervalSec=600",
            "StartLimitBurst=10",
            "",
            "[Service]",
            "Type=notify",
            "NotifyAccess=main",
            f"ExecStart={command}",
            f"Environment={quoted(f'HYP_HOME={spec.home}')}",
            f"WatchdogSec={WATCHDOG_S}",
            "# An import outlives its daemon: the next one finds it again.",
            "KillMode=process",
            f"TimeoutStopSec={spec.stop_s:g}",
            "Restart=on-failure",
            f"RestartSec={RESTART_AFTER_S}",
            f"RestartForceExitStatus={EXIT_GAVE_UP} {EXIT_RESTART}",
            "# Starting it again mends neither a wrong command line nor a home that is taken.",
            f"RestartPreventExitStatus={EXIT_USAGE} {EXIT_HOME_BUSY}",
            "",
            "[Install]",
            "WantedBy=default.target",
        ]
        return "".join(f"{line}\n" for line in lines).encode()

    def after_install(self) -> list[list[str]]:
        return [
            ["systemctl", "--user", "daemon-reload"],
            ["systemctl", "--user", "enable", "--now", self._unit],
        ]

    def before_uninstall(self) -> list[list[str]]:
        return [["systemctl", "--user", "disable", "--now", self._unit]]

    def after_uninstall(self) -> list[list[str]]:
        return [["systemctl", "--user", "daemon-reload"]]

    def start(self) -> list[str]:
        return ["systemctl", "--user", "start", self._unit]

    def stop(self) -> list[str]:
        return ["systemctl", "--user", "stop", self._unit]

    def restart(self) -> list[str]:
        return ["systemctl", "--user", "restart", self._unit]

    def is_running(self) -> list[str]:
        """Return a command that exits with 0 when the service runs."""
        return ["systemctl", "--user", "is-active", "--quiet", self._unit]


def quoted(word: str, *, in_command: bool = False) -> str:
    r"""Return a word as systemd reads it back: quoted, its specifiers and variables escaped.

    >>> print(quoted('50% "off"'))
    "50%% \"off\""
    """
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\t", "\\t")
    if in_command:
        word = word.replace("$", "$$")
    return f'"{word}"'
