"""An agent for launchd."""

from __future__ import annotations

import math
import os
import plistlib
from typing import TYPE_CHECKING

from hypactors.service._spec import RESTART_AFTER_S

if TYPE_CHECKING:
    from pathlib import Path

    from hypactors.service._spec import ServiceSpec


class LaunchdAgent:
    """The agent of one daemon, and the commands that manage it."""

    manager = "launchctl"

    def __init__(self, spec: ServiceSpec, user_home: Path, uid: int | None = None) -> None:
        self._spec = spec
        self.path = user_home / "Library" / "LaunchAgents" / f"{spec.name}.plist"
        self._domain = f"gui/{os.getuid() if uid is None else uid}"
        self._target = f"{self._domain}/{spec.name}"

    def content(self) -> bytes:
        """Return the property list. Raises ``HypError`` for a path that it cannot hold."""
        spec = self._spec
        spec.check()
        output = str(spec.log_dir / "launchd.log")
        return plistlib.dumps(
            {
                "Label": spec.name,
                "ProgramArguments": list(spec.command),
                "EnvironmentVariables": {"HYP_HOME": str(spec.home)},
                "RunAtLoad": True,
                # Started again whenever it did not end in order, 70 and 75 among it.
                "KeepAlive": {"SuccessfulExit": False},
                "ThrottleInterval": RESTART_AFTER_S,
                # An import outlives its daemon: the next one finds it again.
                "AbandonProcessGroup": True,
                "ExitTimeOut": math.ceil(spec.stop_s),
                "ProcessType": "Background",
                "StandardOutPath": output,
                "StandardErrorPath": output,
            }
        )

    def after_install(self) -> list[list[str]]:
        return [["launchctl", "bootstrap", self._domain, str(self.path)]]

    def before_uninstall(self) -> list[list[str]]:
        return [["launchctl", "bootout", self._target]]

    def after_uninstall(self) -> list[list[str]]:
        return []

    def start(self) -> list[str]:
        return ["launchctl", "kickstart", self._target]

    def stop(self) -> list[str]:
        return ["launchctl", "kill", "SIGTERM", self._target]

    def restart(self) -> list[str]:
        return ["launchctl", "kickstart", "-k", self._target]

    def is_running(self) -> list[str]:
        """Return a command that exits with 0 when the service is loaded."""
        return ["launchctl", "print", self._target]
