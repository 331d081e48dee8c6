"""The daemon's end of the control socket."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError, Timeout

from hypactors import control
from hypactors.actors._names import CONTROL_ENDPOINT
from hypactors.errors import HypError
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from structlog.typing import FilteringBoundLogger

    from hypactors.paths import HypHome
    from hypactors.supervision import ChildContext

MAX_CONNECTIONS = 32

ACCEPT_AGAIN_S = 0.1
"""How long to wait when no connection can be accepted: out of descriptors, most likely."""


class ControlEndpoint(SupervisedActor):
    """Listens while it lives; what the operations do is passed in.

    The actor's mailbox stays free: connections are accepted on a thread of their own and each is
    served on another, for at most ``control.CONNECTION_TIMEOUT_S`` a wait.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        home: HypHome,
        operations: Mapping[str, Callable[[Mapping[str, Any]], object]],
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._home = home
        self._operations = operations
        self._log = log.bind(actor=CONTROL_ENDPOINT)
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._closing = threading.Event()

    def setup(self) -> None:
        self._bound = control.bind(self._home)
        self._acceptor = threading.Thread(target=self._accept, name="control-accept", daemon=True)
        self._acceptor.start()

    def teardown(self) -> None:
        self._closing.set()
        self._bound.close()
        self._acceptor.join(timeout=1)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._bound.listener.accept()
            except OSError as error:
                # The second is a life that crashed: its successor has the socket.
                if self._closing.wait(ACCEPT_AGAIN_S) or self.actor_stopped.is_set():
                    return
                self._log.warning("control_accept_failed", detail=str(error))
                continue
            if not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=self._serve, args=(connection,), name="control-serve", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(control.CONNECTION_TIMEOUT_S)
                control.check_peer(connection)
                line = control.read_line(connection, control.MAX_REQUEST_BYTES)
                connection.sendall(self._answer(line))
        except (OSError, ValueError) as error:
            self._log.warning("control_connection_dropped", detail=str(error))
        finally:
            self._slots.release()

    def _answer(self, line: bytes) -> bytes:
        try:
            answer = {"v": control.VERSION, "ok": True, "result": self._result(line)}
            encoded = _encode(answer)
            if len(encoded) <= control.MAX_ANSWER_BYTES:
                return encoded
            answer = _failure("too_large", "the answer is larger than the protocol allows")
        except _BadRequest as error:
            answer = _failure("bad_request", str(error))
        except (ActorDeadError, Timeout) as error:
            answer = _failure("busy", f"a part of the daemon did not answer: {error}")
        except HypError as error:
            answer = _failure("failed", str(error))
        except Exception as error:  # noqa: BLE001 - the edge: the asker gets a line, we keep serving
            self._log.error("control_operation_failed", detail=repr(error))
            answer = _failure("internal", "the daemon could not answer; its log says why")
        return _encode(answer)

    def _result(self, line: bytes) -> object:
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _BadRequest("the request is not a line of JSON") from error
        if not isinstance(asked, dict) or asked.get("v") != control.VERSION:
            raise _BadRequest(f"the request is not of version {control.VERSION}")
        operation = self._operations.get(str(asked.get("op")))
        if operation is None:
            raise _BadRequest(f"no such operation: {asked.get('op')!r}")
        args = asked.get("args")
        return operation(args if isinstance(args, dict) else {})


class _BadRequest(ValueError):  # noqa: N818 - what it is
    """What came over the socket is no request."""


def _encode(answer: dict[str, object]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"


def _failure(kind: str, message: str) -> dict[str, object]:
    return {"v": control.VERSION, "ok": False, "error": {"kind": kind, "message": message}}
