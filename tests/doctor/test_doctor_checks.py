"""What the doctor finds, and what it repairs."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.doctor import Finding, Surroundings, examine, repair
from hypactors.paths import HypHome
from hypactors.processes import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LINK = {"url": "https://hyp.example.com/"}


def unreachable(_url: str, _timeout_s: float) -> datetime | None:
    raise OSError("no route")


def around(home: HypHome, **changes: Any) -> Surroundings:
    report: dict[str, Any] = {"diagnostics": [], "link": None, "config_layers": None}
    usual: dict[str, Any] = {
        "home": home,
        "environ": {},
        "now": NOW,
        "report": report | changes.pop("report", {}),
        "server_date": lambda _url, _timeout_s: NOW,
        "ask_catalogue": lambda _lake, _timeout_s: None,
        "free_bytes": lambda _path: 10**12,
        "service_state": lambda: "installed, running",
        "histories": lambda: [("claude", 3, 5_000_000, "")],
    }
    return Surroundings(**(usual | changes))


def bad(surroundings: Surroundings) -> list[tuple[str, str]]:
    return [(found.check, found.level) for found in examine(surroundings) if found.level != "ok"]


def test_a_machine_that_is_well_is_left_alone(home: HypHome) -> None:
    findings = examine(around(home))
    assert {finding.level for finding in findings} == {"ok"}
    assert repair(around(home), findings) == []
    checks = {finding.check for finding in findings}
    assert checks == {
        *("version", "home", "modes", "leftovers", "state", "config", "history", "server"),
        *("service", "disk"),
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"report": {"diagnostics": [
                {"severity": "error", "kind": "config_invalid", "message": "m"}
            ]}},
            [("config", "fail")],
        ),
        (
            {"report": {"diagnostics": [
                {"severity": "error", "kind": "config_missing", "message": "m"}
            ]}},
            [("config", "warn")],
        ),
        ({"histories": lambda: [("x", 0, 0, "left out 2 files")]}, [("history", "warn")]),
        ({"report": {"link": LINK}, "server_date": unreachable}, [("server", "fail")]),
        ({"report": {"config_layers": {}}}, [("server", "warn")]),
        (
            {"report": {"link": LINK}, "server_date": lambda *_: NOW + timedelta(minutes=6)},
            [("clock", "fail")],
        ),
        ({"report": {"link": LINK}, "server_date": lambda *_: None}, []),
        ({"now": datetime(1970, 1, 1, tzinfo=UTC)}, [("clock", "fail")]),
        ({"service_state": lambda: None}, [("service", "warn")]),
        (
            {"service_state": lambda: "not installed", "report": {"config_layers": {}}},
            [("server", "warn"), ("service", "warn")],
        ),
        ({"service_state": lambda: "not installed"}, []),
        ({"free_bytes": lambda _: 10**8}, [("disk", "fail")]),
        ({"free_bytes": lambda _: 10**9}, [("disk", "warn")]),
        (
            {"free_bytes": lambda _: 10**10, "histories": lambda: [("x", 1, 10**11, "")]},
            [("disk", "warn")],
        ),
    ],
)  # fmt: skip
def test_what_is_around_is_checked(
    changes: dict[str, Any], expected: list[tuple[str, str]], home: HypHome
) -> None:
    surroundings = around(home, **changes)
    assert bad(surroundings) == expected
    assert all(found.help for found in examine(surroundings) if found.level != "ok")


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ('[otlp]\nendpoint = "https://otel.example.com"\n', {}, ("export", "ok")),
        (
            '[otlp]\nendpoint = "https://otel.example.com"\n',
            {"server_date": unreachable},
            ("export", "warn"),
        ),
        ('[otlp]\nendpoint = "http://otel.example.com"\n', {}, ("export", "warn")),
        ("[otlp]\nlogs = 3\n", {}, ("settings", "fail")),
    ],
)
def test_an_export_that_is_asked_for_is_checked(
    text: str, changes: dict[str, Any], expected: tuple[str, str], home: HypHome
) -> None:
    home.settings_file.write_text(text)
    [found] = [
        found for found in examine(around(home, **changes)) if found.check in {"export", "settings"}
    ]
    assert (found.check, found.level) == expected
    assert (found.level == "ok") == (not found.help)


def test_files_that_others_can_read_are_closed(home: HypHome, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("not ours")
    outside.chmod(0o644)
    home.state_root.chmod(0o755)
    home.control_dir.chmod(0o750)
    home.marker_file.write_text("{}")
    home.marker_file.chmod(0o640)
    (home.control_dir / "link").symlink_to(outside)
    surroundings = around(home)
    assert bad(surroundings) == [("modes", "fail")]
    assert repair(surroundings, examine(surroundings)) == ["closed 3 files and folders to others"]
    for path, mode in (
        (home.state_root, 0o700),
        (home.control_dir, 0o700),
        (home.marker_file, 0o600),
    ):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    assert bad(surroundings) == []


def test_what_a_dead_daemon_left_is_removed(home: HypHome) -> None:
    home.control_socket.touch()
    home.pid_file.write_text(json.dumps({"pid": os.getpid()}))  # no daemon: this test
    surroundings = around(home)
    assert bad(surroundings) == [("leftovers", "warn")]
    assert repair(surroundings, examine(surroundings)) == ["removed control.sock, hypaware.pid"]
    assert not home.control_socket.exists()
    assert bad(surroundings) == []


@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
@pytest.mark.parametrize("name", ["state_file", "marker_file"])
def test_a_damaged_state_file_is_set_aside(home: HypHome, name: str, content: str) -> None:
    path: Path = getattr(home, name)
    path.write_text(content)
    path.chmod(0o600)
    surroundings = around(home)
    assert bad(surroundings) == [("state", "fail")]
    [done] = repair(surroundings, examine(surroundings))
    assert done.startswith(f"set {path.name} aside as ")
    [aside] = home.control_dir.iterdir()
    assert aside.read_text() == content
    assert bad(surroundings) == []


def test_a_damaged_identity_is_a_persons(home: HypHome) -> None:
    home.identity_file.parent.mkdir(parents=True, mode=0o700)
    home.identity_file.write_text("{")
    surroundings = around(home)
    assert bad(surroundings) == [("state", "fail")]
    assert repair(surroundings, examine(surroundings)) == []
    assert home.identity_file.read_text() == "{"


def test_nothing_is_repaired_under_a_live_daemon(home: HypHome) -> None:
    home.state_file.write_text("{")
    home.control_socket.touch()
    with_lock = FileLock.try_take(home.daemon_lock)
    assert with_lock is not None
    with with_lock:
        surroundings = around(home)
        assert bad(surroundings) == [("state", "fail")], "its socket is its own"
        [said] = repair(surroundings, examine(surroundings))
    assert said.startswith("nothing was repaired: a daemon runs")
    assert home.state_file.read_text() == "{"


def test_a_repair_that_fails_is_said_and_the_others_go_on(home: HypHome) -> None:
    def fail() -> str:
        raise OSError("read-only")

    findings = [
        Finding("a", "fail", "m", "h", repair=fail),
        Finding("b", "fail", "m", "h", repair=lambda: "mended"),
    ]
    assert repair(around(home), findings) == ["a was not repaired: read-only", "mended"]


def _raise(*_: object) -> Any:
    raise OSError("broken")


@pytest.mark.parametrize(
    ("part", "value"), [("free_bytes", _raise), ("service_state", _raise), ("histories", _raise)]
)
def test_a_check_that_fails_does_not_stop_the_others(
    part: str, value: Callable[..., Any], home: HypHome
) -> None:
    found = examine(around(home, **{part: value}))
    assert any("could not be checked: broken" in finding.message for finding in found)
    assert {"version", "home"} <= {finding.check for finding in found}


def test_a_home_that_is_a_file_or_not_there_yet(tmp_path: Path) -> None:
    assert ("home", "ok") in [(f.check, f.level) for f in examine(around(HypHome(tmp_path / "no")))]
    (tmp_path / "file").touch()
    assert ("home", "fail") in bad(around(HypHome(tmp_path / "file")))
