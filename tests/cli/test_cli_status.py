from __future__ import annotations

import json
import socket
import threading
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest

from hypactors import control
from hypactors.cli import status
from hypactors.paths import HypHome
from hypactors.providers import scan_providers
from hypactors.providers._registry import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FakeDaemon:
    """The daemon's end of the socket: it answers one request with the lines it was given."""

    def __init__(self, home: HypHome) -> None:
        self.requests: list[Any] = []
        self.answer: object = None
        self._bound = control.bind(home)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection, _ = self._bound.listener.accept()
        except OSError:
            return  # closed before anybody asked
        with connection:
            self.requests.append(json.loads(control.read_line(connection, 65536)))
            connection.sendall(json.dumps(self.answer).encode() + b"\n")

    def close(self) -> None:
        self._bound.listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
        self._bound.close()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HYP_HOME": str(tmp_path / "hyp home"), "HOME": str(tmp_path)}


@pytest.fixture
def daemon(environ: dict[str, str]) -> Iterator[FakeDaemon]:
    daemon = FakeDaemon(HypHome.from_environ(environ))
    yield daemon
    daemon.close()


def test_json_is_the_report_of_the_daemon(
    daemon: FakeDaemon, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    report = {"overall": "degraded", "raw": "\x1b[31m é \ud800"}
    daemon.answer = {"v": 1, "ok": True, "result": report}
    assert status.main(["--json"], environ) == 0
    assert daemon.requests == [{"v": 1, "op": "status", "args": {}}]
    out = capsys.readouterr().out
    assert json.loads(out) == report
    assert out.startswith('{\n  "overall"')


def test_text_is_rendered_from_the_report_of_the_daemon(
    daemon: FakeDaemon, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"running": True, "state": "healthy", "pid": 4711}
    result = {"overall": "healthy", "daemon": row, "source": "daemon"}
    daemon.answer = {"v": 1, "ok": True, "result": result}
    assert status.main([], environ) == 0
    captured = capsys.readouterr()
    assert "  daemon:   running, state=healthy, pid=4711\n" in captured.out
    assert captured.err == ""


@pytest.mark.parametrize(
    "answer",
    [
        {"v": 1, "ok": False, "error": {"kind": "busy", "message": "x"}},
        {"v": 1, "ok": True, "result": "not a report"},
        "not an answer",
    ],
)
def test_a_daemon_without_a_usable_answer_is_passed_over(
    daemon: FakeDaemon,
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    answer: object,
) -> None:
    daemon.answer = answer
    assert status.main(["--json"], environ) == 0
    assert json.loads(capsys.readouterr().out)["source"] == "files"


def test_without_a_daemon_the_files_are_read(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert status.main([], environ) == 0
    out = capsys.readouterr().out
    assert "  overall:  degraded\n" in out
    assert "  daemon:   not running (read from files)\n" in out
    assert list(tmp_path.iterdir()) == []


def test_the_installed_providers_decide_what_is_supported(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    home = HypHome.from_environ(environ)
    home.control_dir.mkdir(parents=True)
    plugins = [{"name": "@hypaware/claude"}, {"name": "@hypaware/hermes"}]
    home.seed_file.write_text(json.dumps({"version": 2, "plugins": plugins}))
    assert status.main(["--json"], environ) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["unsupported"] == ["@hypaware/hermes"]
    assert [row["state"] for row in report["client_actions"]] == ["pending"]


def test_a_broken_provider_is_said_and_the_rest_is_shown(
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan = scan_providers([EntryPoint("x", "no_such_module:X", GROUP)])
    monkeypatch.setattr("hypactors.providers.scan_providers", lambda: scan)
    assert status.main([], environ) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("hypactors\n")
    said = "provider 'x' of no_such_module:X cannot be loaded: No module named 'no_such_module'"
    assert captured.err == f"hyp status: {said}\n"


@pytest.mark.parametrize("argv", [["--jsn"], ["--json", "extra"], [""]])
def test_wrong_arguments_exit_2_with_one_line(
    argv: list[str], environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status.main(argv, environ) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(("hyp status: unknown argument ", "hyp status: no such option"))
    assert captured.err.count("\n") == 1


def test_help_has_an_example(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status.main(["--help"], environ) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: hyp status [--json | --check | --watch [SECONDS]]\n")
    assert "examples:\n  hyp status --check" in out


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_pace_that_is_none_is_refused(
    seconds: str, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status.main(["--watch", seconds], environ) == 2
    assert "--watch expects seconds from 0.2 to 3600" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({}, 0, "OK"),
        ({"attention": [{"message": "look\x1b[2J"}]}, 10, "ATTENTION; look[2J"),
        ({"overall": "degraded"}, 11, "DEGRADED"),
        ({"daemon": {"running": True, "state": "degraded"}}, 11, "DEGRADED"),
        ({"daemon": {"running": False}, "overall": "degraded"}, 12, "NOT RUNNING"),
        ({"daemon": None, "attention": "?"}, 12, "NOT RUNNING"),
    ],
)
def test_a_check_is_an_exit_code_and_a_line(changes: dict[str, Any], code: int, text: str) -> None:
    """Contract §4."""
    report = {"overall": "healthy", "daemon": {"running": True, "state": "healthy"}, **changes}
    assert status.verdict(report) == (code, text)


def test_a_check_asks_the_daemon(
    daemon: FakeDaemon, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    report = {"overall": "healthy", "daemon": {"running": True}, "attention": []}
    daemon.answer = {"v": 1, "ok": True, "result": report}
    assert status.main(["--check"], environ) == 0
    assert capsys.readouterr().out == "OK\n"


def test_a_check_without_a_daemon(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status.main(["--check"], environ) == 12
    assert capsys.readouterr().out.startswith("NOT RUNNING; no config: ")
