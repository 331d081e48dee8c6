"""The daemon's end of the control socket, spoken to as anybody with a socket can."""

from __future__ import annotations

import contextlib
import json
import socket
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from pykka import ActorDeadError, Timeout

from hypactors import control
from hypactors.actors._control_endpoint import MAX_CONNECTIONS
from hypactors.actors._names import CONTROL_ENDPOINT
from hypactors.errors import ControlError, HypError
from tests.actors.stage import TRAP_S, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def connect(stage: Stage) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TRAP_S)
    connection.connect(str(stage.home.control_socket))
    return connection


def send(stage: Stage, line: bytes) -> dict[str, Any]:
    with connect(stage) as connection:
        connection.sendall(line)
        answer: dict[str, Any] = json.loads(control.read_line(connection, 1 << 20))
        assert connection.recv(1) == b"", "one request and one answer a connection"
    return answer


def is_dropped(connection: socket.socket, request: bytes = b"") -> bool:
    """Send a request, and say whether the other side hung up without an answer."""
    try:
        connection.sendall(request)
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def raising(error: BaseException) -> Callable[[Mapping[str, Any]], object]:
    def operation(_args: Mapping[str, Any]) -> object:
        raise error

    return operation


def start(stage: Stage, **operations: Callable[[Mapping[str, Any]], object]) -> None:
    stage.start_control_endpoint({"echo": dict, **operations})


def test_an_operation_gets_its_arguments_and_its_result_goes_back(stage: Stage) -> None:
    start(stage)
    assert control.request(stage.home, "echo", {"x": "é"}, timeout_s=TRAP_S) == {"x": "é"}
    answer = send(stage, b'{"v":1,"op":"echo"}\n')
    assert answer == {"v": 1, "ok": True, "result": {}}
    assert send(stage, b'{"v":1,"op":"echo","args":[1]}\n')["result"] == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"not json\n", "the request is not a line of JSON"),
        (b"\n", "the request is not a line of JSON"),
        (b"\xff\xfe{}\n", "the request is not a line of JSON"),
        (b"[" * 60_000 + b"\n", "the request is not a line of JSON"),
        (b"[]\n", "the request is not of version 1"),
        (b"null\n", "the request is not of version 1"),
        (b'{"op":"echo"}\n', "the request is not of version 1"),
        (b'{"v":2,"op":"echo"}\n', "the request is not of version 1"),
        (b'{"v":1}\n', "no such operation: None"),
        (b'{"v":1,"op":"reboot"}\n', "no such operation: 'reboot'"),
        (b'{"v":1,"op":["echo"]}\n', "no such operation: ['echo']"),
    ],
)
def test_what_is_no_request_is_called_so(stage: Stage, line: bytes, message: str) -> None:
    start(stage)
    error = {"kind": "bad_request", "message": message}
    assert send(stage, line) == {"v": 1, "ok": False, "error": error}
    assert stage.events() == [], "whoever may connect could fill the log with it"


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (HypError("the disk is full"), "failed", "the disk is full"),
        (Timeout("2 s"), "busy", "a part of the daemon did not answer: 2 s"),
        (ActorDeadError("gone"), "busy", "a part of the daemon did not answer: gone"),
        (KeyError("secret"), "internal", "the daemon could not answer; its log says why"),
    ],
)
def test_an_operation_that_raises_is_answered_too(
    stage: Stage, error: Exception, kind: str, message: str
) -> None:
    start(stage, broken=raising(error))
    answer = send(stage, b'{"v":1,"op":"broken"}\n')
    assert answer == {"v": 1, "ok": False, "error": {"kind": kind, "message": message}}
    logged = [(line["event"], line["detail"]) for line in stage.events()]
    unexpected = [("control_operation_failed", "KeyError('secret')")]
    assert logged == (unexpected if kind == "internal" else [])
    with pytest.raises(ControlError, match=message.split(maxsplit=1)[0]):
        control.request(stage.home, "broken", timeout_s=TRAP_S)


def test_a_result_that_is_no_json_is_an_error_of_ours_and_is_answered(stage: Stage) -> None:
    start(stage, broken=lambda _args: {"value": object()})
    assert send(stage, b'{"v":1,"op":"broken"}\n')["error"]["kind"] == "internal"


def test_a_request_of_more_than_64_kib_is_dropped(stage: Stage) -> None:
    """Contract §6: nobody makes the daemon hold more, and it serves the next one."""
    start(stage)
    padding = b"x" * control.MAX_REQUEST_BYTES
    with connect(stage) as connection:
        assert is_dropped(connection, b'{"v":1,"op":"echo","args":{"x":"' + padding + b'"}}\n')
    assert send(stage, b'{"v":1,"op":"echo"}\n')["ok"]
    [line] = stage.events()
    assert line["event"] == "control_connection_dropped"


def test_somebody_who_says_nothing_holds_up_nobody(stage: Stage) -> None:
    start(stage)
    with connect(stage), connect(stage) as half:
        half.sendall(b'{"v":1,')
        assert send(stage, b'{"v":1,"op":"echo"}\n')["ok"]


def test_an_operation_that_takes_its_time_holds_up_nobody(stage: Stage) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(_args: Mapping[str, Any]) -> object:
        entered.set()
        return release.wait(TRAP_S)

    start(stage, slow=slow)
    with connect(stage) as waiting:
        waiting.sendall(b'{"v":1,"op":"slow"}\n')
        assert entered.wait(TRAP_S)
        assert send(stage, b'{"v":1,"op":"echo"}\n')["ok"]
        release.set()
        assert json.loads(control.read_line(waiting, 1 << 20))["result"] is True


def test_no_more_than_32_connections_are_served_at_once(stage: Stage) -> None:
    """Contract §6: the next one is turned away at once, until one of them is gone."""
    start(stage)
    connections = [connect(stage) for _ in range(MAX_CONNECTIONS)]
    with connect(stage) as one_too_many:
        assert is_dropped(one_too_many)
    # A connection that ends in the middle of its request gives its place back.
    for connection in connections:
        connection.shutdown(socket.SHUT_WR)
    for connection in connections:
        assert is_dropped(connection)
        connection.close()
    answers = [_try(stage) for _ in range(100)]
    assert True in answers


def _try(stage: Stage) -> bool:
    """Ask once; the place of a connection is free a moment after its end."""
    try:
        return bool(send(stage, b'{"v":1,"op":"echo"}\n')["ok"])
    except (OSError, ValueError):
        return False


def test_a_connection_without_a_request_is_given_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contract §6: after 5 s, here less."""
    monkeypatch.setattr(control, "CONNECTION_TIMEOUT_S", 0.01)
    start(stage)
    with connect(stage) as connection:
        assert is_dropped(connection)


def test_somebody_who_sends_a_byte_now_and_then_is_given_up_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contract §6: the time is a connection's, not a byte's."""
    monkeypatch.setattr(control, "CONNECTION_TIMEOUT_S", 0.05)
    start(stage)
    with connect(stage) as connection:
        connection.settimeout(0.02)
        for _ in range(50):
            with contextlib.suppress(TimeoutError):
                assert is_dropped(connection, b" ")
                return
    raise AssertionError("it was served for a second")


def test_another_user_is_not_served(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract §6."""

    def refuse(_connection: socket.socket) -> None:
        raise PermissionError("the other side of the control socket is user 1234")

    start(stage)
    monkeypatch.setattr(control, "check_peer", refuse)
    with connect(stage) as connection:
        assert is_dropped(connection, b'{"v":1,"op":"echo"}\n')
    stage.stop(CONTROL_ENDPOINT)
    assert [line["detail"] for line in stage.events()] == [
        "the other side of the control socket is user 1234"
    ]


def test_the_socket_is_for_its_owner_and_goes_with_the_actor(stage: Stage) -> None:
    start(stage)
    assert stat.S_IMODE(stage.home.control_socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(stage.home.run_dir.stat().st_mode) == 0o700
    stage.stop(CONTROL_ENDPOINT)
    assert not stage.home.control_socket.exists()


def test_the_next_life_after_a_crash_takes_the_socket_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound: list[control.BoundSocket] = []
    bind = control.bind

    def bind_and_remember(*args: Any) -> control.BoundSocket:
        bound.append(bind(*args))
        return bound[-1]

    monkeypatch.setattr(control, "bind", bind_and_remember)
    start(stage)
    stage.crash(CONTROL_ENDPOINT)
    start(stage, life=lambda _args: 2)
    assert control.request(stage.home, "life", timeout_s=TRAP_S) == 2
    # The thread of the first life serves a socket that nobody can find any more.
    bound[0].close()
    assert control.request(stage.home, "life", timeout_s=TRAP_S) == 2


class FailsOnce:
    """A listener that cannot accept once, as when the process has no descriptor to spare."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._has_failed = False

    def accept(self) -> tuple[socket.socket, Any]:
        if not self._has_failed:
            self._has_failed = True
            raise OSError(24, "Too many open files")
        return self._listener.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)


def test_an_accept_that_fails_does_not_leave_the_daemon_deaf(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = control.bind

    def bind_to_failing(*args: Any) -> control.BoundSocket:
        bound = bind(*args)
        bound.listener = FailsOnce(bound.listener)  # type: ignore[assignment]
        return bound

    monkeypatch.setattr(control, "bind", bind_to_failing)
    start(stage)
    with connect(stage) as connection:
        connection.settimeout(0.5)
        connection.sendall(b'{"v":1,"op":"echo"}\n')
        assert connection.recv(1) != b""
