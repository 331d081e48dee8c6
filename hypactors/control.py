"""The control socket: where it is, who may speak, and one JSON line each way (contract §6).

Both sides use this module. It imports little, because ``hyp status`` should cost little.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.errors import ControlError
from hypactors.files import OPEN_TO_OTHERS, ensure_private_dir, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hypactors.paths import HypHome

VERSION = 1
MAX_REQUEST_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECTION_TIMEOUT_S = 5.0

# sun_path holds 108 bytes on Linux and 104 on macOS, with the final NUL.
_MAX_ADDRESS_BYTES = 103


def request(
    home: HypHome, op: str, args: Mapping[str, object] | None = None, *, timeout_s: float
) -> Any:
    """Ask the daemon of this home one thing and return its result.

    ``timeout_s`` bounds each of connecting, sending and waiting for the answer. Raises
    ``ControlError`` when no daemon answers in time, or when it answers with an error.
    """
    try:
        with _connected(home, timeout_s) as connection:
            asked = {"v": VERSION, "op": op, "args": dict(args or {})}
            connection.sendall(json.dumps(asked).encode() + b"\n")
            line = read_line(connection, MAX_ANSWER_BYTES)
    except (FileNotFoundError, ConnectionRefusedError) as error:  # that of a dead one may be left
        raise ControlError("no daemon runs here; 'hyp daemon --actors' runs one") from error
    except (OSError, ValueError) as error:
        raise ControlError(f"no daemon answers on {home.control_socket}: {error}") from error
    try:
        answer = json.loads(line)
        if answer["ok"]:
            return answer["result"]
        message = str(answer["error"]["message"])
    except (ValueError, KeyError, TypeError) as error:
        raise ControlError(f"the daemon gave no usable answer to {op!r}") from error
    raise ControlError(message)


def read_line(connection: socket.socket, limit: int) -> bytes:
    """Read up to the first newline, within the connection's timeout as a whole.

    Raises ``ValueError`` past ``limit`` or at a half line, ``OSError`` when the time is over.
    """
    timeout_s = connection.gettimeout()
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    received = bytearray()
    while b"\n" not in received:
        if deadline is not None:  # 0 would mean "do not wait", which is another error
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
        chunk = connection.recv(65536)
        if not chunk:
            raise ValueError("the connection ended before a whole line came")
        received += chunk
        if len(received) > limit:
            raise ValueError(f"more than {limit} bytes without an end of line")
    return bytes(received.partition(b"\n")[0])


class BoundSocket:
    """A listening control socket and what must be removed when it is closed."""

    def __init__(self, listener: socket.socket, path: Path, address_file: Path | None) -> None:
        self.listener = listener
        self._path = path
        self._inode = path.stat().st_ino
        self._address_file = address_file

    def close(self) -> None:
        """Stop listening, waking whoever accepts; remove the names that are still ours."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
                if self._address_file is not None:
                    self._address_file.unlink(missing_ok=True)
                    self._path.parent.rmdir()


def bind(home: HypHome, *, may_use_proc: bool = sys.platform == "linux") -> BoundSocket:
    """Listen on the home's socket. Only the holder of the daemon lock may call this.

    Too long a path goes through the folder's descriptor where ``/proc`` can do that
    (``may_use_proc``), else to a private folder whose address is left in ``run/control.json``.
    """
    ensure_private_dir(home.run_dir)
    path, address_file = home.control_socket, None
    home.control_address.unlink(missing_ok=True)
    if not _fits(path) and not may_use_proc:
        path, address_file = Path(tempfile.mkdtemp(prefix="hyp-")) / path.name, home.control_address
        write_atomic(address_file, json.dumps({"v": 1, "path": str(path)}).encode())
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _address(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen(32)
    except BaseException:
        listener.close()
        raise
    return BoundSocket(listener, path, address_file)


def check_peer(connection: socket.socket) -> None:
    """Raise ``PermissionError`` unless the other side runs as this user."""
    uid = _peer_uid(connection)
    if uid != os.geteuid():
        raise PermissionError(f"the other side of the control socket is user {uid}")


@contextlib.contextmanager
def _connected(home: HypHome, timeout_s: float) -> Iterator[socket.socket]:
    path = home.control_socket
    if not _fits(path) and home.control_address.exists():
        path = _published_path(home)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        with _address(path) as address:
            connection.connect(address)
        check_peer(connection)
        yield connection


def _published_path(home: HypHome) -> Path:
    path = Path(str(json.loads(home.control_address.read_bytes())["path"]))
    folder = path.parent.lstat()
    if (
        not stat.S_ISDIR(folder.st_mode)
        or folder.st_uid != os.geteuid()
        or folder.st_mode & OPEN_TO_OTHERS
    ):
        raise PermissionError(f"{path.parent} is not a private folder of this user")
    return path


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """Give an address short enough for a Unix socket, good while the context lasts."""
    if _fits(path):
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= _MAX_ADDRESS_BYTES


def _peer_uid(connection: socket.socket) -> int:
    if sys.platform == "darwin":  # struct xucred of SOL_LOCAL, LOCAL_PEERCRED: version, uid, ...
        return int(struct.unpack_from("Ii", connection.getsockopt(0, 0x001, 76))[1])
    else:  # noqa: RET505 - the type checker knows the platform by the branch
        return int(
            struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        )
