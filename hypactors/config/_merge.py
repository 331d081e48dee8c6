"""The merge of the two layers: central first, local only adds (config-control §2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from hypactors.config._catalogue import CATALOGUE
from hypactors.config._document import ConfigDocument
from hypactors.config._validate import validate_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypactors.config._catalogue import PluginCatalogue
    from hypactors.config._validate import ValidationKind

Section = Literal["plugins", "sinks", "disambiguate"]
DropReason = Literal["collides_with_central", "invalid_merge"]


@dataclass(frozen=True, slots=True)
class DroppedEntry:
    """A local entry that is not in force, and why. ``detail`` is the error that it would bring."""

    section: Section
    key: str
    reason: DropReason
    detail: ValidationKind | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """What two layers come to."""

    effective: ConfigDocument
    dropped: tuple[DroppedEntry, ...]
    central_query_ignored: bool


class _Addition(NamedTuple):
    """A local entry that the central layer leaves room for, as a document of its own."""

    section: Section
    key: str
    document: ConfigDocument


def merge_layers(
    central: ConfigDocument | None,
    local: ConfigDocument | None,
    plugins: PluginCatalogue = CATALOGUE,
) -> Merged:
    """Merge by name. A local entry that collides is dropped whole, never mixed in.

    One that brings an error which is not there without it is dropped as well. An error that the
    central layer carries by itself is never blamed on a local entry. Without a central layer the
    result holds the local document itself, unchecked.
    """
    if central is None:
        return Merged(local or ConfigDocument(), (), central_query_ignored=False)
    local = local or ConfigDocument()
    dropped = list(_collisions(central, local))
    document = replace(central, query=local.query)
    # No addition takes one of these away only for a later one to bring it back, so they need no
    # second look.
    known = {(error.kind, error.pointer) for error in validate_document(document, plugins=plugins)}
    for addition in _additions(central, local):
        grown = _joined(document, addition.document)
        errors = validate_document(grown, plugins=plugins)
        new = next((error for error in errors if (error.kind, error.pointer) not in known), None)
        if new is None:
            document = grown
        else:
            dropped.append(DroppedEntry(addition.section, addition.key, "invalid_merge", new.kind))
    return Merged(document, tuple(dropped), central_query_ignored=central.query is not None)


def _collisions(central: ConfigDocument, local: ConfigDocument) -> Iterator[DroppedEntry]:
    locked = {entry.name for entry in central.plugins}
    places: list[tuple[Section, str]] = [
        *(("plugins", entry.name) for entry in local.plugins if entry.name in locked),
        *(("sinks", name) for name in local.sinks if name in central.sinks),
        *(("disambiguate", name) for name in local.disambiguate if name in central.disambiguate),
    ]
    return (DroppedEntry(*place, "collides_with_central") for place in places)


def _additions(central: ConfigDocument, local: ConfigDocument) -> Iterator[_Addition]:
    """Yield what may be added, in the order in which it is tried.

    Pins come first: they bring no error of their own, and a plugin whose tie the local layer
    itself resolves is to stay.
    """
    for capability, pinned in local.disambiguate.items():
        if capability not in central.disambiguate:
            pin = ConfigDocument(disambiguate={capability: pinned})
            yield _Addition("disambiguate", capability, pin)
    locked = {entry.name for entry in central.plugins}
    for entry in local.plugins:
        if entry.name not in locked:
            yield _Addition("plugins", entry.name, ConfigDocument(plugins=(entry,)))
    for name, sink in local.sinks.items():
        if name not in central.sinks:
            yield _Addition("sinks", name, ConfigDocument(sinks={name: sink}))


def _joined(document: ConfigDocument, addition: ConfigDocument) -> ConfigDocument:
    return replace(
        document,
        plugins=document.plugins + addition.plugins,
        sinks={**document.sinks, **addition.sinks},
        disambiguate={**document.disambiguate, **addition.disambiguate},
    )
