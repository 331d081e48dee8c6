"""Installing and removing the service, with a manager that only notes what it is asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from hypactors.cli import _daemon_service as commands
from hypactors.errors import HypError
from hypactors.service import CommandFailed, ManagerMissing, Service, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Manager:
    """Notes the commands; ``failure`` is raised by those whose words hold ``fails_on``."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails_on: str | None = None
        self.failure: CommandFailed = CommandFailed("it said no")

    def __call__(self, command: Sequence[str]) -> None:
        line = " ".join(command)
        self.asked.append(line)
        if self.fails_on is not None and self.fails_on in line:
            raise self.failure


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def service(tmp_path: Path, manager: Manager) -> Service:
    environ = {"HOME": str(tmp_path), "HYP_HOME": str(tmp_path / "hyp home")}
    return commands.service_of(environ, run=manager)


Text = pytest.CaptureFixture[str]

linux = pytest.mark.skipif(sys.platform == "darwin", reason="the commands of systemd")


@linux
def test_installing_writes_the_file_and_starts_the_service(
    service: Service, manager: Manager, capsys: Text
) -> None:
    assert commands.install(service, only_print=False) == 0
    unit = service.file.path.name
    assert manager.asked == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {unit}",
    ]
    assert service.file.path.stat().st_mode & 0o777 == 0o644
    assert "installed and started" in capsys.readouterr().out
    assert commands.install(service, only_print=False) == 0, "again is harmless"


def test_printing_writes_nothing(service: Service, manager: Manager, capsys: Text) -> None:
    assert commands.install(service, only_print=True) == 0
    assert not service.file.path.parent.exists()
    assert manager.asked == []
    assert capsys.readouterr().out.startswith(f"# {service.file.path}\n")


def test_without_a_manager_it_is_said_what_was_done(
    service: Service, manager: Manager, capsys: Text
) -> None:
    manager.fails_on = ""
    manager.failure = ManagerMissing("there is no systemctl on this system")
    assert commands.install(service, only_print=False) == 1
    assert service.file.path.exists()
    said = capsys.readouterr().err
    assert f"wrote {service.file.path}, but" in said
    assert "there is no systemctl" in said
    assert commands.describe(service).endswith("its manager is not here")


@linux
def test_uninstalling_stops_it_and_removes_the_file(
    service: Service, manager: Manager, capsys: Text
) -> None:
    service.install()
    manager.asked.clear()
    assert commands.uninstall(service) == 0
    assert manager.asked[0].startswith("systemctl --user disable --now ")
    assert not service.file.path.exists()
    assert commands.uninstall(service) == 0
    assert "it was not installed" in capsys.readouterr().out


def test_a_manager_that_refuses_does_not_keep_the_file(
    service: Service, manager: Manager, capsys: Text
) -> None:
    service.install()
    manager.fails_on = "disable" if sys.platform != "darwin" else "bootout"
    assert commands.uninstall(service) == 1
    assert not service.file.path.exists()
    assert "it said no" in capsys.readouterr().err


def test_starting_what_is_not_installed_says_what_to_do(service: Service) -> None:
    for command in (commands.start, commands.restart):
        with pytest.raises(HypError, match="'hyp daemon install' does"):
            command(service)


def test_an_installed_service_is_started_and_started_anew(
    service: Service, manager: Manager
) -> None:
    service.install()
    manager.asked.clear()
    assert (commands.start(service), commands.restart(service)) == (0, 0)
    assert len(manager.asked) == 2


def test_the_state_is_told(service: Service, manager: Manager) -> None:
    assert "not installed" in commands.describe(service)
    service.install()
    assert commands.describe(service).endswith(", running")
    manager.fails_on = ""
    assert commands.describe(service).endswith(", not running")
    service.file.path.write_text("by another version")
    assert "install it again" in commands.describe(service)


def test_a_folder_that_cannot_be_made_is_one_line(service: Service, tmp_path: Path) -> None:
    for name in (".config", "Library"):
        (tmp_path / name).write_text("not a folder")
    with pytest.raises(HypError, match="cannot be written"):
        service.install()


def test_what_the_manager_says_is_in_the_error() -> None:
    with pytest.raises(CommandFailed, match="false: exit code 1"):
        run_command(["false"])
    with pytest.raises(CommandFailed, match="oh no"):
        run_command(["sh", "-c", "echo oh no >&2; exit 3"])
    with pytest.raises(ManagerMissing, match="no no-such-manager on this system"):
        run_command(["no-such-manager"])
    run_command(["true"])
