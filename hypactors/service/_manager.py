"""Putting the service file in its place, and asking the manager of this system."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hypactors.errors import HypError
from hypactors.files import read_if_present, remove, write_atomic
from hypactors.service._launchd import LaunchdAgent
from hypactors.service._systemd import SystemdUnit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hypactors.service._spec import ServiceSpec

COMMAND_TIMEOUT_S = 60.0


class CommandFailed(HypError):  # noqa: N818 - a fact
    """The service manager is not there, or did not do what it was asked."""


class ServiceFile(Protocol):
    """What is different between the managers."""

    path: Path
    manager: str

    def content(self) -> bytes: ...
    def after_install(self) -> list[list[str]]: ...
    def before_uninstall(self) -> list[list[str]]: ...
    def after_uninstall(self) -> list[list[str]]: ...
    def start(self) -> list[str]: ...
    def stop(self) -> list[str]: ...
    def restart(self) -> list[str]: ...
    def is_running(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Whether the service file is there, is the one we would write, and runs (None: unknown)."""

    is_installed: bool
    is_current: bool
    is_running: bool | None


class Service:
    """The daemon as a service. ``run`` runs a command of the manager, or raises ``CommandFailed``.

    Raises ``HypError`` when the file cannot be written.
    """

    def __init__(self, file: ServiceFile, run: Callable[[Sequence[str]], None]) -> None:
        self.file = file
        self._run = run

    @property
    def is_installed(self) -> bool:
        return self.file.path.exists()

    def install(self) -> None:
        """Write the file and let the manager start it; again it changes nothing but the file."""
        content = self.file.content()
        try:
            self.file.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.file.path, content, mode=0o644)
        except OSError as error:
            raise HypError(f"{self.file.path} cannot be written: {error}") from error
        for command in self.file.after_install():
            self._run(command)

    def uninstall(self) -> bool:
        """Stop the service and remove the file; say whether there was one."""
        if not self.is_installed:
            return False
        problems = []
        for command in self.file.before_uninstall():
            try:
                self._run(command)
            except CommandFailed as error:  # the file goes all the same
                problems.append(error)
        remove(self.file.path)
        for command in self.file.after_uninstall():
            self._run(command)
        if problems:
            raise problems[0]
        return True

    def start(self) -> None:
        self._run(self.file.start())

    def stop(self) -> None:
        self._run(self.file.stop())

    def restart(self) -> None:
        self._run(self.file.restart())

    def state(self) -> ServiceState:
        try:
            found = read_if_present(self.file.path)
        except OSError:
            found = None
        if found is None:
            return ServiceState(is_installed=False, is_current=False, is_running=None)
        try:
            self._run(self.file.is_running())
        except ManagerMissing:
            is_running = None
        except CommandFailed:
            is_running = False
        else:
            is_running = True
        return ServiceState(
            is_installed=True, is_current=found == self.file.content(), is_running=is_running
        )


class ManagerMissing(CommandFailed):
    """There is no such service manager here."""


def run_command(command: Sequence[str]) -> None:
    """Run a command of the service manager. Raises ``CommandFailed`` with what it said."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise ManagerMissing(f"there is no {command[0]} on this system") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise CommandFailed(f"{' '.join(command)}: {said}")


def detect_service(
    spec: ServiceSpec,
    environ: Mapping[str, str],
    user_home: Path,
    *,
    run: Callable[[Sequence[str]], None] = run_command,
    platform: str = sys.platform,
) -> Service:
    """Return the daemon as a service of this system's manager."""
    file: ServiceFile
    if platform == "darwin":
        file = LaunchdAgent(spec, user_home)
    else:
        file = SystemdUnit(spec, environ, user_home)
    return Service(file, run)
