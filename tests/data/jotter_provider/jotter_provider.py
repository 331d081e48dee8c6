"""A provider of another package, with all that one may have: a jotting in each text file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.config import SectionError
from hypactors.providers import Exchange, Finding, Message, Notice, Provider
from hypactors.providers.files import open_regular, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hypactors.providers import ScanContext


def _root(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) / "jottings"


class JotterScan:
    def __init__(self, context: ScanContext) -> None:
        root = _root(context.environ)
        self.sources = tuple(path for path in walk(root, context.findings) if path.suffix == ".txt")
        self.notices = (Notice("jottings_elsewhere", {"path": "/elsewhere"}),)
        self._context = context

    def exchanges(self, source: Path) -> Iterator[Exchange]:
        """Name and time of a jotting are its file's name: ``<milliseconds>.txt``."""
        if not source.stem.isdecimal() or not self._context.window.keeps(int(source.stem)):
            return
        try:
            with open_regular(source) as stream:
                text = stream.read(1_000_000).decode(errors="replace")
        except OSError as error:
            self._context.findings.add(Finding.UNREADABLE_FILE, str(source), error.strerror)
            return
        yield Exchange(
            provider="jotter",
            session_id=source.stem,
            client_name="jotter",
            source_path=str(source),
            native_id=source.stem,
            messages=[
                Message(
                    role="user",
                    content=text,
                    message_id=f"jotting-{source.stem}",
                    message_created_ms=int(source.stem),
                )
            ],
        )


class JotterProvider:
    name = "jotter"
    plugin = "@acme/jotter"
    datasets: tuple[str, ...] = ("ai_gateway_messages",)
    summary = "Import jottings into ai_gateway_messages"

    def scan(self, context: ScanContext) -> JotterScan:
        return JotterScan(context)

    def has_history(self, environ: Mapping[str, str]) -> bool:
        return _root(environ).is_dir()

    def plan(self, context: ScanContext) -> dict[str, Any]:
        return {"jottings": len(JotterScan(context).sources)}

    def validate_config(self, config: Mapping[str, Any]) -> Iterator[SectionError]:
        if not isinstance(config.get("ink", "blue"), str):
            yield SectionError("/ink", "must be a string")


PROVIDER: Provider = JotterProvider()
