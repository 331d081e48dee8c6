"""A version 2 config document: what it may hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hypactors.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

DocumentErrorKind = Literal["config_invalid_json", "config_invalid_shape"]

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
