"""The shape check: from bytes to a document, with every error and where it is.

Only the known fields come through. What a plugin's or a sink's own ``config`` holds is not looked
at here.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.config._document import (
    VERSION,
    BlobSink,
    ConfigDocument,
    DocumentError,
    PluginEntry,
    Query,
    RequestSink,
    Retention,
    ShapeError,
    child_pointer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAINTENANCE_NUMBERS = frozenset(
    {
        "interval_minutes",
        "target_file_bytes",
        "min_snapshots_to_keep",
        "max_snapshot_age_hours",
        "compact_file_count",
        "compact_avg_file_bytes",
        "compact_batch_bytes",
        "max_tick_ms",
    }
)
_HTTP_URL = re.compile(r"https?://[^/\s]+", re.IGNORECASE)


def parse_document(raw: bytes) -> ConfigDocument:
    """Return the document in ``raw``; raise `DocumentError` with everything that is wrong.

    NaN, a lone surrogate, a byte order mark and nesting without end all count as "not JSON".
    """
    try:
        root: Any = msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        problem = ShapeError("", f"is not JSON ({error})")
        raise DocumentError("config_invalid_json", (problem,)) from error
    shape = _Shape()
    document = shape.document(root)
    if shape.errors:
        raise DocumentError("config_invalid_shape", tuple(shape.errors))
    return document


class _Shape:
    """One walk over a document. Every method returns what it could use and notes what it could not.

    A walk goes in the order of the file, so the errors are in that order too.
    """

    def __init__(self) -> None:
        self.errors: list[ShapeError] = []

    def document(self, root: Any) -> ConfigDocument:
        if not isinstance(root, dict):
            self._note("", "must be a JSON object")
            return ConfigDocument()
        if "version" not in root:
            self._note("/version", f"is required and must be {VERSION}")
        read: dict[str, Any] = {}
        sections: dict[str, Callable[[Any], Any]] = {
            "version": self._version,
            "plugins": self._plugins,
            "sinks": self._sinks,
            "query": self._query,
            "disambiguate": self._disambiguate,
        }
        for key, value in root.items():
            if key in sections:
                read[key] = sections[key](value)
            else:
                self._note(child_pointer("", key), "is not a known key")
        return ConfigDocument(
            plugins=read.get("plugins", ()),
            sinks=read.get("sinks", {}),
            query=read.get("query"),
            disambiguate=read.get("disambiguate", {}),
        )

    def _version(self, value: Any) -> None:
        if value != VERSION:
            self._note("/version", f"must be {VERSION}")

    def _plugins(self, value: Any) -> tuple[PluginEntry, ...]:
        if not isinstance(value, list):
            self._note("/plugins", "must be an array")
            return ()
        entries = (self._plugin(item, f"/plugins/{index}") for index, item in enumerate(value))
        return tuple(entry for entry in entries if entry is not None)

    def _plugin(self, value: Any, at: str) -> PluginEntry | None:
        if not self._is_object(value, at):
            return None
        if "name" not in value:
            self._note(f"{at}/name", "is required")
        read: dict[str, Any] = {}
        for key, item in value.items():
            if key in {"name", "version", "artifact_hash", "source"}:
                read[key] = self._text(item, f"{at}/{key}")
            elif key == "enabled":
                read[key] = self._flag(item, f"{at}/enabled")
            elif key == "config":
                read[key] = self._object(item, f"{at}/config")
        return PluginEntry(**read) if read.get("name") else None

    def _sinks(self, value: Any) -> dict[str, BlobSink | RequestSink]:
        sinks = {}
        for name, item in self._object(value, "/sinks").items():
            at = child_pointer("/sinks", name)
            if not name:
                self._note(at, "must have a name")
            sink = self._sink(item, at)
            if sink is not None:
                sinks[name] = sink
        return sinks

    def _sink(self, value: Any, at: str) -> BlobSink | RequestSink | None:
        if not self._is_object(value, at):
            return None
        read: dict[str, Any] = {}
        for key, item in value.items():
            if key in {"plugin", "writer", "destination"}:
                read[key] = self._text(item, f"{at}/{key}")
            elif key == "config":
                read[key] = self._object(item, f"{at}/config")
        named = read.keys() - {"config"}
        if named == {"plugin"}:
            return RequestSink(**read)
        if named == {"writer", "destination"}:
            return BlobSink(**read)
        if "plugin" in named:
            self._note(at, "has a plugin and also a writer or a destination: choose one")
        elif named:
            missing = "destination" if "writer" in named else "writer"
            self._note(f"{at}/{missing}", "is required")
        else:
            self._note(at, "needs a plugin, or a writer and a destination")
        return None

    def _query(self, value: Any) -> Query:
        read: dict[str, Any] = {}
        for key, item in self._object(value, "/query").items():
            if key == "cache":
                read.update(self._cache(item))
            elif key == "remotes":
                read["remotes"] = self._remotes(item)
            elif key == "default_remote":
                # It may name one that is built in, so that it is declared cannot be asked for.
                read["default_remote"] = self._text(item, "/query/default_remote")
        return Query(**read)

    def _cache(self, value: Any) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key, item in self._object(value, "/query/cache").items():
            if key == "dir":
                read["cache_dir"] = self._text(item, "/query/cache/dir")
            elif key == "retention":
                read["retention"] = self._retention(item, "/query/cache/retention")
            elif key == "maintenance":
                read["maintenance"] = self._maintenance(item, "/query/cache/maintenance")
            elif key == "catalog":
                read["catalog"] = self._catalog(item, "/query/cache/catalog")
        return read

    def _retention(self, value: Any, at: str) -> Retention | None:
        if not self._is_object(value, at):
            return None
        if "default_days" not in value:
            self._note(f"{at}/default_days", "is required")
        default_days, datasets = 0.0, {}
        for key, item in value.items():
            if key == "default_days":
                default_days = self._amount(item, f"{at}/default_days")
            elif key == "datasets":
                for name, days in self._object(item, f"{at}/datasets").items():
                    datasets[name] = self._amount(days, child_pointer(f"{at}/datasets", name))
        return Retention(default_days, datasets)

    def _maintenance(self, value: Any, at: str) -> dict[str, bool | float]:
        read: dict[str, bool | float] = {}
        for key, item in self._object(value, at).items():
            if key == "enabled":
                read[key] = self._flag(item, f"{at}/enabled")
            elif key in _MAINTENANCE_NUMBERS:
                read[key] = self._amount(item, f"{at}/{key}")
        return read

    def _catalog(self, value: Any, at: str) -> dict[str, str]:
        if value == {}:
            self._note(at, 'must have properties of a pyiceberg catalogue, such as "uri"')
        properties = self._object(value, at).items()
        return {key: self._text(item, child_pointer(at, key)) for key, item in properties}

    def _remotes(self, value: Any) -> dict[str, str]:
        remotes = {}
        for name, item in self._object(value, "/query/remotes").items():
            at = child_pointer("/query/remotes", name)
            url = self._object(item, at).get("url")
            if isinstance(url, str) and _HTTP_URL.match(url):
                remotes[name] = url
            elif isinstance(item, dict):
                self._note(f"{at}/url", "must be an http or https URL")
        return remotes

    def _disambiguate(self, value: Any) -> dict[str, str]:
        pins = self._object(value, "/disambiguate").items()
        return {
            name: self._text(plugin, child_pointer("/disambiguate", name)) for name, plugin in pins
        }

    def _object(self, value: Any, at: str) -> Mapping[str, Any]:
        return value if self._is_object(value, at) else {}

    def _is_object(self, value: Any, at: str) -> bool:
        if isinstance(value, dict):
            return True
        self._note(at, "must be an object")
        return False

    def _text(self, value: Any, at: str) -> str:
        if isinstance(value, str) and value:
            return value
        self._note(at, "must be a non-empty string")
        return ""

    def _flag(self, value: Any, at: str) -> bool:
        if isinstance(value, bool):
            return value
        self._note(at, "must be true or false")
        return False

    def _amount(self, value: Any, at: str) -> float:
        # A bool is an int to Python, never a number to a config.
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and 0 <= value <= sys.float_info.max:
            amount: float = value
            return amount
        self._note(at, "must be a number, zero or more")
        return 0.0

    def _note(self, pointer: str, message: str) -> None:
        self.errors.append(ShapeError(pointer, message))
