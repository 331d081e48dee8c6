"""``hyp central``: the server's life, and its administration."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from hypactors.cli import central as command
from hypactors.errors import HypError, UsageError
from tests.central.scripted import TRAP_S
from tests.e2e.fleet import Central

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRAP = TRAP_S


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run(data: Path, *argv: str) -> int:
    return command.main(argv, {"HYP_CENTRAL_DATA": str(data), "HOME": str(data.parent)})


def written(tmp_path: Path, document: object) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(document))
    return str(path)


def document(url: str = "https://hyp.example.com/") -> dict[str, object]:
    return {
        "version": 2,
        "plugins": [{"name": "@hypaware/central"}],
        "sinks": {
            "central": {"plugin": "@hypaware/central", "config": {"url": url, "identity": {}}}
        },
    }


def test_a_config_from_the_upload_to_the_end(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, document())
    assert run(data, "config", "put", "team", path, "--url", "https://hyp.example.com/") == 0
    assert "team is served from now on as" in capsys.readouterr().out
    assert run(data, "config", "list") == 0
    assert capsys.readouterr().out.startswith("team")
    with pytest.raises(HypError, match="there is no config none"):
        run(data, "config", "get", "none")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"query": {}}, "/query"),
        ({"sinks": {}}, "/sinks"),
        ({"plugins": [{"name": "@hypaware/nonsense"}]}, "/plugins"),
        ({"version": 3}, "/version"),
    ],
)
def test_a_config_that_is_refused(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, object],
    said: str,
) -> None:
    assert run(data, "config", "put", "team", written(tmp_path, document() | changed)) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "nothing was changed" in told
    run(data, "config", "list")
    assert capsys.readouterr().out == ""


def test_an_address_that_is_not_quite_the_servers(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """central §6: the trap of the last slash is caught where it can be mended."""
    path = written(tmp_path, document("https://hyp.example.com"))
    assert run(data, "config", "put", "team", path, "--url", "https://hyp.example.com/") == 1
    assert "exactly as https://hyp.example.com/" in capsys.readouterr().err


def test_a_token_is_shown_once_and_kept_nowhere(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, "token", "create", "team", "--days", "7") == 0
    told = capsys.readouterr()
    secret = told.out.strip()
    assert secret.startswith("hyp_")
    assert secret not in told.err
    assert "there is no config team yet" in told.err
    assert run(data, "token", "list") == 0
    listed = capsys.readouterr().out
    assert "team  valid" in listed
    assert "until" in listed
    assert secret not in listed
    assert all(secret.encode() not in path.read_bytes() for path in data.iterdir())
    assert run(data, "token", "revoke", listed.split()[0]) == 0
    with pytest.raises(HypError, match="no valid token"):
        run(data, "token", "revoke", listed.split()[0])


@pytest.mark.parametrize(
    "argv",
    [
        ["token", "create", "../x"],
        ["token", "create", "team", "--days", "0"],
        ["token", "create", "team", "--days", "1e999"],
        ["config", "put", "a b", "x"],
        ["serve", "--port", "70000"],
        ["serve", "--host", "0.0.0.0"],  # noqa: S104 - that it is refused is the point
        ["serve", "--public-url", "http://hyp.example.com/"],
        ["nonsense"],
    ],
)
def test_a_command_line_that_is_wrong(data: Path, argv: list[str]) -> None:
    with pytest.raises(UsageError):
        run(data, *argv)


def test_nothing_to_administer_yet(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "gateways") == 0
    assert capsys.readouterr().out == "0 of 0 converged, 0 rows received\n"
    assert data.stat().st_mode & 0o777 == 0o700
    with pytest.raises(HypError, match="cannot be read"):
        run(data, "config", "put", "team", str(data / "none.json"))


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Central]:
    with Central(tmp_path / "server") as central:
        yield central


@pytest.mark.process
def test_a_server_lives_and_ends(central: Central) -> None:
    """It starts with nothing, ends with 0 when it is told to, and says nothing that is secret."""
    assert central.stop(signal.SIGTERM) == 0
    assert '"server_stopped"' in central.stderr()
    central.start()
    second = central.admin("serve", "--port", str(central.port))
    assert second.returncode == 1
    assert second.stderr.startswith("hyp central: cannot listen on")
    assert central.stop(signal.SIGINT) == 0
    assert "Traceback" not in central.stderr()
    keys = central.data / "jwt.keys"
    assert keys.stat().st_mode & 0o777 == 0o600
    assert keys.read_text().strip() not in central.stderr()
