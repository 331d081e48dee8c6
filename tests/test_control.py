"""The control socket itself: addresses, limits and peers."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from hypactors import control
from hypactors.errors import ControlError
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def answering(answer: bytes) -> Callable[[bytes], bytes]:
    return lambda _request: answer


class Server:
    """Answers every connection with what a function makes of its line."""

    def __init__(self, home: HypHome, answer: Callable[[bytes], bytes], **options: bool) -> None:
        self._bound = control.bind(home, **options)
        self._answer = answer
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._bound.listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(self._answer(control.read_line(connection, 1 << 16)))

    def close(self) -> None:
        self._bound.close()
        self._thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(home: HypHome, answer: Callable[[bytes], bytes], **options: bool) -> Server:
        servers.append(Server(home, answer, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def echo(request: bytes) -> bytes:
    return json.dumps({"v": 1, "ok": True, "result": json.loads(request)}).encode() + b"\n"


def test_a_request_and_its_answer_are_one_line_of_json_each(
    tmp_path: Path, serve: Callable[..., Server]
) -> None:
    home = HypHome(tmp_path)
    serve(home, echo)
    result = control.request(home, "ping", {"x": "é"}, timeout_s=5)
    assert result == {"v": 1, "op": "ping", "args": {"x": "é"}}
    assert stat.S_IMODE(home.control_socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.run_dir.stat().st_mode) == 0o700


@pytest.mark.parametrize("may_use_proc", [True, False])
def test_a_home_whose_path_is_too_long_for_a_socket_works(
    tmp_path: Path,
    serve: Callable[..., Server],
    may_use_proc: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = tmp_path / "t"
    short.mkdir()
    monkeypatch.setenv("TMPDIR", str(short))
    monkeypatch.setattr("tempfile.tempdir", None)
    home = HypHome(tmp_path / ("long name with ünïcode " * 6))
    server = serve(home, echo, may_use_proc=may_use_proc)
    assert control.request(home, "ping", timeout_s=5)["op"] == "ping"
    assert home.control_address.exists() is not may_use_proc
    server.close()
    assert not home.control_socket.exists()
    assert list(short.iterdir()) == []
    with pytest.raises(ControlError):
        control.request(home, "ping", timeout_s=5)


def test_a_published_address_in_a_folder_open_to_others_is_not_used(
    tmp_path: Path, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = HypHome(tmp_path / ("x" * 120))
    serve(home, echo, may_use_proc=False)
    folder = next(tmp_path.glob("hyp-*"))
    folder.chmod(0o777)
    with pytest.raises(ControlError, match="not a private folder"):
        control.request(home, "ping", timeout_s=5)
    folder.chmod(0o700)


def test_a_stale_socket_is_replaced(tmp_path: Path, serve: Callable[..., Server]) -> None:
    home = HypHome(tmp_path)
    stale = control.bind(home)
    stale.listener.close()
    serve(home, echo)
    assert control.request(home, "ping", timeout_s=5)["op"] == "ping"


def test_closing_leaves_a_socket_that_is_not_ours_any_more(tmp_path: Path) -> None:
    home = HypHome(tmp_path)
    old = control.bind(home)
    new = control.bind(home)
    old.close()
    assert home.control_socket.exists()
    new.close()
    assert not home.control_socket.exists()


@pytest.mark.parametrize(
    "answer",
    [b"not json\n", b"[]\n", b'{"ok":true}\n', b'{"ok":false,"error":"x"}\n', b"half a line"],
)
def test_rubbish_for_an_answer_is_one_clear_error(
    tmp_path: Path, serve: Callable[..., Server], answer: bytes
) -> None:
    serve(HypHome(tmp_path), answering(answer))
    with pytest.raises(ControlError):
        control.request(HypHome(tmp_path), "ping", timeout_s=5)


def test_an_error_of_the_daemon_arrives_with_its_message(
    tmp_path: Path, serve: Callable[..., Server]
) -> None:
    serve(HypHome(tmp_path), answering(b'{"v":1,"ok":false,"error":{"kind":"k","message":"no"}}\n'))
    with pytest.raises(ControlError, match=r"^no$"):
        control.request(HypHome(tmp_path), "ping", timeout_s=5)


def test_no_daemon_is_told_apart_at_once(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no daemon runs here"):
        control.request(HypHome(tmp_path), "ping", timeout_s=60)


def test_a_line_longer_than_its_limit_is_not_read_to_its_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x" * 200)
        with pytest.raises(ValueError, match="more than 100 bytes"):
            control.read_line(ours, 100)


def test_only_this_user_may_speak() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        control.check_peer(ours)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "geteuid", lambda: 4242)
            with pytest.raises(PermissionError):
                control.check_peer(ours)
