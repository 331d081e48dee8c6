"""A provider that does as its files say, and imports of it without a command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING, Any

from hypactors.clock import ManualClock
from hypactors.importing import Engine, Imported, Progress, Surroundings
from hypactors.lake import Lake
from hypactors.paths import HypHome
from hypactors.providers import Exchange, Finding, Findings, Message, Window
from hypactors.providers.files import walk
from hypactors.sql import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from hypactors.processes import ImportProgress
    from hypactors.providers import ScanContext

NOW_MS = 1_793_520_000_000
DAY_MS = 86_400_000


def entry(name: str, *, session: str = "s", days: float = 0, **more: Any) -> str:
    """Return a line of a notebook: one message, ``days`` old. A line that is no JSON is torn.

    ``cwd`` is that of its session. ``text`` is the name unless it is given. ``deed`` is done by
    whoever reads it: ``raise``, ``die``, ``fail`` (the file can be read no further), and
    ``needs`` names a plugin without which the line is left out.
    """
    at = NOW_MS - int(days * DAY_MS)
    return json.dumps({"id": name, "session": session, "at": at, **more}) + "\n"


class NotebookScan:
    def __init__(self, root: Path, context: ScanContext, opened: list[str]) -> None:
        self.sources = tuple(
            path for path in walk(root, context.findings) if path.suffix == ".notes"
        )
        self._context = context
        self._opened = opened

    def exchanges(self, source: Path) -> Iterator[Exchange]:
        self._opened.append(source.name)
        try:
            lines = source.read_text().splitlines()
        except OSError as error:
            self._context.findings.add(Finding.UNREADABLE_FILE, str(source), error.strerror)
            return
        sessions: dict[str, list[dict[str, Any]]] = {}
        for line in lines:
            try:
                note: dict[str, Any] = json.loads(line)
            except ValueError:
                self._context.findings.add(Finding.UNPARSEABLE_LINE, str(source))
                continue
            if self._context.window.keeps(note["at"]) and self._is_served(note):
                sessions.setdefault(note["session"], []).append(note)
        for name, notes in sessions.items():
            yield Exchange(
                provider="notebook",
                session_id=name,
                client_name="notebook",
                source_path=str(source),
                native_id=name,
                cwd=next((note["cwd"] for note in notes if "cwd" in note), None),
                messages=self._messages(source, notes),
            )

    def _is_served(self, note: Mapping[str, Any]) -> bool:
        plugin = note.get("needs")
        if plugin is None or self._context.is_configured(plugin):
            return True
        self._context.needs_plugin(plugin)
        return False

    def _messages(self, source: Path, notes: Sequence[Mapping[str, Any]]) -> Iterator[Message]:
        for note in notes:
            match note.get("deed"):
                case "raise":
                    raise RuntimeError(note["id"])
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "fail":
                    self._context.findings.add(Finding.UNREADABLE_FILE, str(source), "I/O error")
                    return
            yield Message(
                role="user",
                content=note.get("text", note["id"]),
                message_id=note["id"],
                message_created_ms=note["at"],
            )


class Notebook:
    """The provider. It remembers which files were opened, in this process."""

    name = "notebook"
    plugin = "@example/notebook"
    datasets: tuple[str, ...] = ("ai_gateway_messages",)
    summary = "Import notes"

    def __init__(self, root: Path) -> None:
        self._root = root
        self.opened: list[str] = []

    def scan(self, context: ScanContext) -> NotebookScan:
        return NotebookScan(self._root, context, self.opened)


def nobody(_name: str) -> bool:
    return False


class Desk:
    """A home, a folder of notebooks, and imports of it. It is the log of an import as well."""

    def __init__(self, root: Path) -> None:
        self.home = HypHome(root / "hyp")
        self.lake = Lake.of(self.home)
        self.folder = root / "notes"
        self.folder.mkdir(parents=True)
        self.provider = Notebook(self.folder)
        self.clock = ManualClock()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.shown: list[ImportProgress] = []
        self.findings = Findings()
        self.on_event: Callable[[str], object] = lambda _event: None
        self.shield: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        self.environ: dict[str, str] = {}

    def write(self, name: str, *lines: str) -> Path:
        path = self.folder / f"{name}.notes"
        path.write_text("".join(lines))
        return path

    def append(self, name: str, *lines: str) -> None:
        with (self.folder / f"{name}.notes").open("a") as stream:
            stream.writelines(lines)

    def event(self, event: str, *, level: str = "info", **fields: object) -> None:
        self.events.append((event, {"level": level, **fields}))
        self.on_event(event)

    def engine(
        self, window: Window | None = None, is_configured: Callable[[str], bool] = nobody
    ) -> Engine:
        around = Surroundings(
            run_id="r",
            home=self.home,
            lake=self.lake,
            environ=self.environ,
            window=window or Window(),
            is_configured=is_configured,
            now_ms=NOW_MS,
            log=self,
            shield=self.shield,
        )
        self.findings = Findings()
        self.provider.opened.clear()
        progress = Progress(self.clock, self.shown.append)
        return Engine(self.provider, around, self.findings, progress)

    def run(
        self, window: Window | None = None, is_configured: Callable[[str], bool] = nobody
    ) -> Imported:
        engine = self.engine(window, is_configured)
        engine.run(in_worker=lambda: None)
        return engine.imported

    @property
    def opened(self) -> list[str]:
        """The notebooks that the last import opened, without their suffix."""
        return [name.removesuffix(".notes") for name in self.provider.opened]

    def stored(self) -> list[str]:
        """Return the ids of what is in the cache; one that is there twice is in it twice."""
        sql = "select message_id from ai_gateway_messages order by 1"
        return [name for (name,) in query(self.lake, sql).rows]


def since_days(days: float, until: float | None = None) -> Window:
    """Return the window that begins so many days ago."""
    until_ms = None if until is None else NOW_MS - int(until * DAY_MS)
    return Window(NOW_MS - int(days * DAY_MS), until_ms)


def counters(imported: Imported) -> tuple[int, int, int]:
    """Return sessions seen, sessions with a fresh row, and rows written."""
    return imported.items_seen, imported.items_fresh, imported.rows_written
