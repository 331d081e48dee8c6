"""``hyp report`` as a person types it."""

from __future__ import annotations

import stat
import webbrowser
from typing import TYPE_CHECKING

import pytest

from hypactors.cli import report
from hypactors.errors import HypError, UsageError
from hypactors.lake import Lake
from hypactors.paths import HypHome
from tests.sql.cached import put, response

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    home = HypHome(tmp_path / "hyp home")
    put(
        Lake.of(home),
        [
            response("old", "2026-10-01", output_tokens=1),
            response("new", "2026-11-01", output_tokens=1),
        ],
    )
    return home


def run(capsys: pytest.CaptureFixture[str], home: HypHome, *argv: str) -> tuple[int, str, str]:
    environ = {"HYP_HOME": str(home.root), "HOME": str(home.root)}
    code = report.main(argv, environ)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_page_is_in_the_home_and_only_for_its_owner(
    capsys: pytest.CaptureFixture[str], home: HypHome
) -> None:
    assert run(capsys, home) == (0, f"{home.report_file}\n", "")

    assert stat.S_IMODE(home.report_file.stat().st_mode) == 0o600
    assert b"<title>Coding agents on this machine</title>" in home.report_file.read_bytes()
    assert run(capsys, home)[0] == 0, "it is made anew"


def test_the_page_goes_where_it_is_wanted_and_has_what_is_wanted(
    capsys: pytest.CaptureFixture[str], home: HypHome, tmp_path: Path
) -> None:
    target = tmp_path / "page.html"
    code, out, _ = run(capsys, home, "-o", str(target), "--since", "2026-10-15T00:00:00Z")

    assert (code, out) == (0, f"{target}\n")
    page = target.read_text()
    assert ">new</th>" in page
    assert ">old</th>" not in page
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert not home.report_file.exists()


def test_a_machine_without_anything_gets_a_page_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    home = HypHome(tmp_path / "new")
    assert run(capsys, home)[0] == 0
    assert "Nothing was imported yet" in home.report_file.read_text()


def test_it_is_opened_when_that_is_wanted(
    capsys: pytest.CaptureFixture[str], home: HypHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def remember(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", remember)

    assert run(capsys, home, "--open")[0] == 0
    assert opened == [home.report_file.as_uri()]
    assert "hyp%20home" in opened[0]


def test_without_a_browser_the_page_is_there_and_that_is_said(
    capsys: pytest.CaptureFixture[str], home: HypHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _url: False)

    with pytest.raises(HypError, match=r"no browser could be started; open .*report\.html"):
        run(capsys, home, "--open")
    assert home.report_file.exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [(".", "is a folder; name a file in it"), ("no/x.html", "cannot be written: No such file")],
)
def test_a_place_that_cannot_be_written_is_said(
    capsys: pytest.CaptureFixture[str], home: HypHome, tmp_path: Path, output: str, message: str
) -> None:
    with pytest.raises(HypError, match=message):
        run(capsys, home, "-o", str(tmp_path / output))


@pytest.mark.parametrize("argv", [("--since", "soon"), ("--nope",), ("x",)])
def test_wrong_arguments_are_a_usage_error(
    capsys: pytest.CaptureFixture[str], home: HypHome, argv: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError):
        run(capsys, home, *argv)
    assert not home.report_file.exists()
