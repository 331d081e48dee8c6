"""The unit and the property list, and what the managers themselves say of them."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.errors import HypError
from hypactors.service import LaunchdAgent, ServiceSpec, SystemdUnit
from hypactors.service._systemd import quoted

SPEC = ServiceSpec(
    command=(sys.executable, "-P", "-m", "hypactors", "daemon", "run", "--foreground"),
    home=Path('/home/ü x/50% "off" $HOME \\n/.hyp'),
    is_default_home=False,
    log_dir=Path("/home/ü x/.hyp/hypaware/logs"),
    stop_s=625.0,
)


def unit(spec: ServiceSpec = SPEC) -> str:
    return SystemdUnit(spec, {}, Path("/home/x")).content().decode()


def test_a_unit_holds_what_an_import_that_outlives_its_daemon_needs() -> None:
    """status 37: whatever it exits with but for 0, it is started anew."""
    lines = unit().splitlines()
    for line in (
        "Type=notify",
        "NotifyAccess=main",
        "KillMode=process",
        "TimeoutStopSec=625",
        "WatchdogSec=60",
        "Restart=on-failure",
        "RestartForceExitStatus=70 75",
        "RestartPreventExitStatus=2 5",
        "WantedBy=default.target",
    ):
        assert line in lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "hypactors-test.service"
    path.write_text(unit())
    verified = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(path)],  # noqa: S607 - wherever it is
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    said = [line for line in verified.stderr.splitlines() if path.name in line]
    assert said == []


def unquoted(text: str) -> str:
    """Read a quoted word as systemd does: specifiers, then C escapes."""
    assert text[0] == text[-1] == '"'
    read, rest = [], iter(text[1:-1])
    for char in rest:
        assert char != '"', "the word would end here"
        match char:
            case "\\":
                following = next(rest)
                read.append({"t": "\t"}.get(following, following))
            case "%" | "$":
                assert next(rest) == char, "it would be expanded"
                read.append(char)
            case _:
                read.append(char)
    return "".join(read)


@given(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])))
def test_any_word_survives_being_quoted(word: str) -> None:
    assert unquoted(quoted(word, in_command=True)) == word


@pytest.mark.parametrize("where", ["command", "home"])
def test_a_line_break_in_a_path_is_refused(where: str) -> None:
    """It would end the line, and what follows would be read as a setting."""
    evil = "/x\nExecStartPre=/bin/evil"
    spec = replace(SPEC, **{where: (evil,) if where == "command" else Path(evil)})  # type: ignore[arg-type]
    with pytest.raises(HypError, match="line break"):
        unit(spec)
    with pytest.raises(HypError, match="line break"):
        LaunchdAgent(spec, Path("/home/x"), uid=501).content()


def test_a_unit_is_where_systemd_looks() -> None:
    home = Path("/home/x")
    name = f"{SPEC.name}.service"
    assert SystemdUnit(SPEC, {}, home).path == home / ".config/systemd/user" / name
    elsewhere = SystemdUnit(SPEC, {"XDG_CONFIG_HOME": "/cfg"}, home).path
    assert elsewhere == Path("/cfg/systemd/user") / name
    relative = SystemdUnit(SPEC, {"XDG_CONFIG_HOME": "cfg"}, home).path
    assert relative == home / ".config/systemd/user" / name, "a relative one counts as unset"


def test_two_homes_are_two_services() -> None:
    other = replace(SPEC, home=Path("/other"))
    assert len({SPEC.name, other.name, replace(SPEC, is_default_home=True).name}) == 3


def test_a_property_list_holds_what_launchd_needs() -> None:
    agent = LaunchdAgent(SPEC, Path("/Users/x"), uid=501)
    read = plistlib.loads(agent.content())
    assert agent.path == Path(f"/Users/x/Library/LaunchAgents/{SPEC.name}.plist")
    assert read["ProgramArguments"] == list(SPEC.command)
    assert read["EnvironmentVariables"] == {"HYP_HOME": str(SPEC.home)}
    assert read["AbandonProcessGroup"] is True
    assert read["KeepAlive"] == {"SuccessfulExit": False}
    assert read["ExitTimeOut"] == 625
    assert read["StandardErrorPath"].startswith(str(SPEC.log_dir))
