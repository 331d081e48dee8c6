"""A version 2 config document: what it may hold."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from hypactors.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

DocumentErrorKind = Literal["config_invalid_json", "config_invalid_shape"]

VERSION = 2
DEFAULT_MAINTENANCE_MINUTES = 60
DEFAULT_RETENTION_DAYS: float = 90


@dataclass(frozen=True, slots=True)
class ShapeError:
    """One thing that is wrong in a document, and where (a JSON pointer, empty for the root)."""

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '<root>'}: {self.message}"


class DocumentError(ConfigError):
    """The bytes are no version 2 document. ``errors`` has all that is wrong, in document order."""

    def __init__(self, kind: DocumentErrorKind, errors: tuple[ShapeError, ...]) -> None:
        super().__init__(str(errors[0]))
        self.kind = kind
        self.errors = errors


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """One plugin that the document names. ``config`` is opaque here: its owner checks it."""

    name: str
    enabled: bool = True
    config: Mapping[str, Any] | None = None
    version: str | None = None
    artifact_hash: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class BlobSink:
    """A sink that writes files: an encoder and where its files go."""

    writer: str
    destination: str
    config: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RequestSink:
    """A sink that sends requests; the central server is one."""

    plugin: str
    config: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days of history the cache keeps."""

    default_days: float
    datasets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """The ``query`` block. It always speaks about the local machine."""

    cache_dir: str | None = None
    retention: Retention | None = None
    maintenance: Mapping[str, bool | float] = field(default_factory=dict)
    catalog: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Properties of a pyiceberg catalogue, which may hold passwords."""
    remotes: Mapping[str, str] = field(default_factory=dict)
    default_remote: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigDocument:
    """A document that passed the shape check. Orders are the file's: they are the merge order."""

    plugins: tuple[PluginEntry, ...] = ()
    sinks: Mapping[str, BlobSink | RequestSink] = field(default_factory=dict)
    query: Query | None = None
    disambiguate: Mapping[str, str] = field(default_factory=dict)


def retention_days(document: ConfigDocument | None, dataset: str) -> float:
    """Return how long the rows of ``dataset`` are kept: its own figure, the default, or 90."""
    query = document.query if document else None
    retention = query.retention if query else None
    if retention is None:
        return DEFAULT_RETENTION_DAYS
    return retention.datasets.get(dataset, retention.default_days)


def maintenance_interval_s(document: ConfigDocument | None) -> float | None:
    """Return how often the cache is looked after, in seconds; None: not at all."""
    query = document.query if document else None
    given = query.maintenance if query else {}
    if given.get("enabled") is False:
        return None
    return float(given.get("interval_minutes", DEFAULT_MAINTENANCE_MINUTES)) * 60


def plain_document(document: ConfigDocument) -> dict[str, Any]:
    """Return the document as the JSON value that it is read from, without what is left out.

    The values inside are the document's own: a caller that changes something makes a copy.
    """
    plain: dict[str, Any] = {"version": VERSION}
    if document.plugins:
        plain["plugins"] = [_plain_plugin(entry) for entry in document.plugins]
    if document.sinks:
        plain["sinks"] = {name: _set_fields(sink) for name, sink in document.sinks.items()}
    if document.query is not None:
        plain["query"] = _plain_query(document.query)
    if document.disambiguate:
        plain["disambiguate"] = dict(document.disambiguate)
    return plain


def child_pointer(parent: str, key: str) -> str:
    """Return the JSON pointer of a key that the document's author chose (RFC 6901)."""
    return f"{parent}/{key.replace('~', '~0').replace('/', '~1')}"


def _plain_plugin(entry: PluginEntry) -> dict[str, Any]:
    plain = _set_fields(entry)
    if entry.enabled:
        del plain["enabled"]
    return plain


def _plain_query(query: Query) -> dict[str, Any]:
    retention = _set_fields(query.retention) if query.retention else None
    cache = {
        "dir": query.cache_dir,
        "retention": retention,
        "maintenance": query.maintenance,
        "catalog": query.catalog,
    }
    remotes = {name: {"url": url} for name, url in query.remotes.items()}
    plain = {
        "cache": _without_empty(cache),
        "remotes": remotes,
        "default_remote": query.default_remote,
    }
    return _without_empty(plain)


def _set_fields(record: PluginEntry | BlobSink | RequestSink | Retention) -> dict[str, Any]:
    return {
        field.name: value
        for field in fields(record)
        if (value := getattr(record, field.name)) is not None
    }


def _without_empty(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if value is not None and value != {}}
