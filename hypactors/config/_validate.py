"""Does a document make sense with the plugins there are? Everything that does not is collected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hypactors.config._catalogue import CATALOGUE
from hypactors.config._cron import cron_fault
from hypactors.config._document import BlobSink, RequestSink, child_pointer
from hypactors.config._sections import SectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from hypactors.config._catalogue import CataloguePlugin, PluginCatalogue
    from hypactors.config._document import ConfigDocument
    from hypactors.config._sections import SectionValidator, SectionValidators

ValidationKind = Literal[
    "duplicate_plugin",
    "plugin_unknown",
    "sink_plugin_unknown",
    "sink_writer_invalid",
    "sink_pair_incompatible",
    "sink_destination_invalid",
    "sink_encoder_invalid",
    "sink_schedule_invalid",
    "dataset_unknown",
    "capability_ambiguous",
    "config_section_invalid",
]
"""The kinds of config-control §1.5. A sink of both shapes never gets here: the shape check refuses
it, and a document cannot hold one."""

_BLOB_STORE = "hypaware.blob-store"
_ENCODER = "hypaware.encoder"
_TABLE_FORMAT = "hypaware.table-format"
_HTTP_ENDPOINT = "hypaware.http-endpoint"


@dataclass(frozen=True, slots=True)
class ValidationError:
    """One thing in a well-formed document that cannot work, and where (a JSON pointer)."""

    kind: ValidationKind
    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '<root>'}: {self.message}"


OnBrokenSection: TypeAlias = "Callable[[str, Exception], None]"


def _ignore(_plugin: str, _error: Exception) -> None:
    """Take no notice."""


def validate_document(
    document: ConfigDocument,
    *,
    plugins: PluginCatalogue = CATALOGUE,
    datasets: Collection[str] | None = None,
    sections: SectionValidators | None = None,
    on_broken_section: OnBrokenSection = _ignore,
) -> tuple[ValidationError, ...]:
    """Return all errors, in the order of config-control §1.5. That none is found means: valid.

    ``datasets`` None checks no dataset names: right for a central document, whose query block is
    not in force. ``sections`` None checks no plugin's own config: right for a merge, as these rules
    gate what arrives and not what runs. A section validator that raises is told to
    ``on_broken_section`` with its plugin, and that plugin is not checked.
    """
    return (
        *_duplicates(document),
        *_unknown(document, plugins),
        *_sinks(document, plugins),
        *_retention(document, datasets),
        *_ties(document, plugins),
        *_sections(document, sections or {}, on_broken_section),
    )


def _duplicates(document: ConfigDocument) -> Iterator[ValidationError]:
    seen = set()
    for index, entry in enumerate(document.plugins):
        if entry.name in seen:
            message = f"{entry.name} is named a second time; keep one entry"
            yield ValidationError("duplicate_plugin", f"/plugins/{index}", message)
        seen.add(entry.name)


def _unknown(document: ConfigDocument, plugins: PluginCatalogue) -> Iterator[ValidationError]:
    for index, entry in enumerate(document.plugins):
        if entry.name not in plugins:
            yield ValidationError(
                "plugin_unknown", f"/plugins/{index}/name", _unknown_message(entry.name)
            )


def _sinks(document: ConfigDocument, plugins: PluginCatalogue) -> Iterator[ValidationError]:
    for name, sink in document.sinks.items():
        at = child_pointer("/sinks", name)
        if isinstance(sink, RequestSink):
            yield from _request_sink(sink, at, plugins)
        else:
            yield from _blob_sink(sink, at, plugins)
        if sink.config and "schedule" in sink.config:
            fault = cron_fault(sink.config["schedule"])
            if fault is not None:
                yield ValidationError("sink_schedule_invalid", f"{at}/config/schedule", fault)


def _request_sink(
    sink: RequestSink, at: str, plugins: PluginCatalogue
) -> Iterator[ValidationError]:
    plugin = plugins.get(sink.plugin)
    if plugin is None:
        yield _sink_plugin_unknown(f"{at}/plugin", sink.plugin)
    elif not _provides(plugin, _HTTP_ENDPOINT):
        message = f"{sink.plugin} sends no requests: it does not provide {_HTTP_ENDPOINT}"
        yield ValidationError("sink_pair_incompatible", f"{at}/plugin", message)


def _blob_sink(sink: BlobSink, at: str, plugins: PluginCatalogue) -> Iterator[ValidationError]:
    writer, destination = plugins.get(sink.writer), plugins.get(sink.destination)
    if writer is None:
        yield _sink_plugin_unknown(f"{at}/writer", sink.writer)
    if destination is None:
        yield _sink_plugin_unknown(f"{at}/destination", sink.destination)
    if writer is not None:
        yield from _pair(writer, destination, at)
    if sink.config and "encoder" in sink.config:
        yield from _encoder_pin(sink.config["encoder"], f"{at}/config/encoder", plugins)


def _pair(
    writer: CataloguePlugin, destination: CataloguePlugin | None, at: str
) -> Iterator[ValidationError]:
    """Check that a writer writes into a store of files, and that its destination is one."""
    no_store: ValidationKind = "sink_pair_incompatible"
    wrong_store: ValidationKind = "sink_pair_incompatible"
    if _provides(writer, _TABLE_FORMAT):
        no_store, wrong_store = "sink_writer_invalid", "sink_destination_invalid"
    elif not _provides(writer, _ENCODER):
        message = f"{writer.name} is no writer: it provides neither {_ENCODER} nor {_TABLE_FORMAT}"
        yield ValidationError("sink_writer_invalid", f"{at}/writer", message)
        return
    if not any(required.name == _BLOB_STORE for required in writer.requires):
        message = f"{writer.name} does not write into a {_BLOB_STORE}"
        yield ValidationError(no_store, f"{at}/writer", message)
    if destination is not None and not _provides(destination, _BLOB_STORE):
        message = f"{destination.name} stores no files: it does not provide {_BLOB_STORE}"
        yield ValidationError(wrong_store, f"{at}/destination", message)


def _encoder_pin(pin: object, at: str, plugins: PluginCatalogue) -> Iterator[ValidationError]:
    if not isinstance(pin, str):
        yield ValidationError("sink_encoder_invalid", at, "must be the name of a plugin")
    elif pin not in plugins:
        yield _sink_plugin_unknown(at, pin)
    elif not _provides(plugins[pin], _ENCODER):
        message = f"{pin} is no encoder: it does not provide {_ENCODER}"
        yield ValidationError("sink_encoder_invalid", at, message)


def _retention(
    document: ConfigDocument, datasets: Collection[str] | None
) -> Iterator[ValidationError]:
    if datasets is None or document.query is None or document.query.retention is None:
        return
    known = ", ".join(sorted(datasets)) or "none"
    for name in document.query.retention.datasets:
        if name not in datasets:
            at = child_pointer("/query/cache/retention/datasets", name)
            message = f"no provider here makes this dataset (known: {known})"
            yield ValidationError("dataset_unknown", at, message)


def _ties(document: ConfigDocument, plugins: PluginCatalogue) -> Iterator[ValidationError]:
    providers: dict[str, list[str]] = {}
    for name in dict.fromkeys(entry.name for entry in document.plugins if entry.enabled):
        plugin = plugins.get(name)
        for provided in plugin.provides if plugin else ():
            providers.setdefault(provided.name, []).append(name)
    for capability, names in providers.items():
        if len(names) > 1 and document.disambiguate.get(capability) not in names:
            message = f"several plugins provide it ({', '.join(names)}); name one of them here"
            at = child_pointer("/disambiguate", capability)
            yield ValidationError("capability_ambiguous", at, message)


def _sections(
    document: ConfigDocument, sections: SectionValidators, on_broken: OnBrokenSection
) -> Iterator[ValidationError]:
    """Ask the owner of every entry, of a disabled one too: it may be enabled later."""
    for index, entry in enumerate(document.plugins):
        validator = sections.get(entry.name)
        if validator is None:
            continue
        try:
            found = _ask(validator, {} if entry.config is None else entry.config)
        # The validator is another package's, and may raise anything.
        except Exception as error:  # noqa: BLE001
            on_broken(entry.name, error)
            continue
        at = f"/plugins/{index}/config"
        for objection in found:
            pointer = at + objection.pointer if objection.pointer.startswith("/") else at
            yield ValidationError("config_section_invalid", pointer, objection.message)


def _ask(validator: SectionValidator, config: Mapping[str, Any]) -> list[SectionError]:
    errors = list(validator(config))
    for error in errors:
        if not isinstance(error, SectionError):
            raise TypeError(f"the validator returned {type(error).__name__}, not SectionError")
    return errors


def _provides(plugin: CataloguePlugin, capability: str) -> bool:
    return any(provided.name == capability for provided in plugin.provides)


def _sink_plugin_unknown(pointer: str, name: str) -> ValidationError:
    return ValidationError("sink_plugin_unknown", pointer, _unknown_message(name))


def _unknown_message(name: str) -> str:
    return f"no plugin {name} is known; correct the name, or install the package that brings it"
