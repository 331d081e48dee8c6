"""A disk that stops, fails or forgets: it works on a real folder and knows what is durable."""

from __future__ import annotations

import errno
import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from hypactors.files import DISK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Fault = Literal["crash", "error", "full"]
"""At the chosen call: the machine stops, that call fails, or all calls fail from there on."""


TEMPORARY = re.compile(r"\.\d+\.[0-9a-f]+\.tmp$|\.tmp\..*$")


class Crash(BaseException):
    """The machine stopped. No `Exception`: nothing may go on after it."""


class Entry(NamedTuple):
    """A file or a link as it is found."""

    name: str
    kind: Literal["file", "link"]
    content: bytes


Snapshot = tuple[Entry, ...]


def snapshot(folder: Path) -> Snapshot:
    """Return the files and links of a folder."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            found.append(Entry(path.name, "link", bytes(path.readlink())))
        elif path.is_file():
            found.append(Entry(path.name, "file", path.read_bytes()))
    return tuple(found)


def restore(folder: Path, found: Snapshot) -> None:
    """Make the folder hold exactly this."""
    for path in folder.iterdir():
        if path.is_symlink() or path.is_file():
            path.unlink()
    for entry in found:
        path = folder / entry.name
        if entry.kind == "link":
            path.symlink_to(entry.content.decode())
        else:
            path.write_bytes(entry.content)
            path.chmod(0o600)


@dataclass(eq=False)
class Node:
    """What a name leads to. The bytes of a file that was never fsynced may be gone."""

    kind: Literal["file", "link"]
    durable: bytes = b""


@dataclass(frozen=True)
class Change:
    """A change of names that no fsync of the folder has made durable yet."""

    added: str | None
    node: Node
    removed: str | None


@dataclass
class FaultyDisk:
    """Counts every step that changes the folder, and lets the ``fault_at``-th go wrong.

    A write is two steps, as a machine can stop with half of the bytes in the file.
    """

    folder: Path
    fault: Fault = "crash"
    fault_at: int | None = None
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._nodes = {e.name: Node(e.kind, e.content) for e in snapshot(self.folder)}
        self._durable = dict(self._nodes)
        self._pending: list[Change] = []
        self._is_stopped = False

    # The calls of `hypactors.files.Files`

    def write(self, path: Path, data: bytes, mode: int) -> None:
        self._step("create", path)
        DISK.write(path, data[: len(data) // 2], mode)
        self._add(path, Node("file"))
        self._step("write", path)
        path.write_bytes(data)

    def fsync(self, path: Path) -> None:
        self._step("fsync", path)
        if path == self.folder:
            self._durable = dict(self._nodes)
            self._pending.clear()
        else:
            self._nodes[path.name].durable = path.read_bytes()

    def replace(self, source: Path, target: Path) -> None:
        self._step("replace", target)
        DISK.replace(source, target)
        node = self._nodes.pop(source.name)
        self._nodes[target.name] = node
        self._pending.append(Change(target.name, node, source.name))

    def symlink(self, path: Path, points_to: str) -> None:
        self._step("symlink", path)
        DISK.symlink(path, points_to)
        self._add(path, Node("link", points_to.encode()))

    def unlink(self, path: Path) -> None:
        if not path.is_symlink() and not path.exists():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        self._step("unlink", path)
        DISK.unlink(path)
        self._pending.append(Change(None, self._nodes.pop(path.name), path.name))

    # What the tests ask

    def commits(self) -> int:
        """Count the steps that change which config is in force."""
        return sum(step in {"replace active", "unlink active"} for step in self.steps)

    def aftermaths(self) -> Iterator[Snapshot]:
        """Yield what may be found: after a kill, and after a power cut, each as it can be.

        A power cut may keep any of the changes of names that are not durable, and loses the bytes
        of every file that was not fsynced.
        """
        yield snapshot(self.folder)
        for kept in itertools.product((False, True), repeat=len(self._pending)):
            names = dict(self._durable)
            for change in itertools.compress(self._pending, kept):
                if change.removed is not None:
                    names.pop(change.removed, None)
                if change.added is not None:
                    names[change.added] = change.node
            yield tuple(Entry(name, n.kind, n.durable) for name, n in sorted(names.items()))

    def _add(self, path: Path, node: Node) -> None:
        self._nodes[path.name] = node
        self._pending.append(Change(path.name, node, None))

    def _step(self, call: str, path: Path) -> None:
        if self._is_stopped:
            raise Crash
        self.steps.append(f"{call} {TEMPORARY.sub('.tmp', path.name)}")
        number, at = len(self.steps), self.fault_at
        if at is None or number < at or (number > at and self.fault == "error"):
            return
        if self.fault == "crash":
            self._is_stopped = True
            raise Crash
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
