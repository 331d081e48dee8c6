"""The structural merge of the two layers: central first, local only adds (config-control §2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hypactors.config._document import ConfigDocument

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DroppedEntry:
    """A local entry that is not in force, and why."""

    section: str
    key: str
    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """What two layers come to."""

    effective: ConfigDocument
    dropped: tuple[DroppedEntry, ...]
    central_query_ignored: bool


def merge_layers(central: ConfigDocument | None, local: ConfigDocument | None) -> Merged:
    """Merge by name. A local entry that collides is dropped whole, never mixed in.

    Without a central layer the result holds the local document itself.
    """
    if central is None:
        return Merged(local or ConfigDocument(), (), central_query_ignored=False)
    local = local or ConfigDocument()
    locked = {entry.name for entry in central.plugins}
    added = tuple(entry for entry in local.plugins if entry.name not in locked)
    collisions = [("plugins", entry.name) for entry in local.plugins if entry.name in locked]
    collisions += [("sinks", name) for name in local.sinks if name in central.sinks]
    collisions += [
        ("disambiguate", name) for name in local.disambiguate if name in central.disambiguate
    ]
    return Merged(
        effective=ConfigDocument(
            plugins=central.plugins + added,
            sinks=_central_first(central.sinks, local.sinks),
            query=local.query,
            disambiguate=_central_first(central.disambiguate, local.disambiguate),
        ),
        dropped=tuple(DroppedEntry(*place, "collides_with_central") for place in collisions),
        central_query_ignored=central.query is not None,
    )


def _central_first(central: Mapping[str, T], local: Mapping[str, T]) -> dict[str, T]:
    additions = {name: value for name, value in local.items() if name not in central}
    return {**central, **additions}
