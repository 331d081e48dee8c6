"""The plugins that a central document may name (contract §2).

Which of them run here is not known here: providers are found by entry point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hypactors.config._document import ConfigDocument


class Capability(NamedTuple):
    """A named capability, with the version provided or the range asked for (empty: any)."""

    name: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class CataloguePlugin:
    """A known plugin. ``client`` is the AI client that it is for, if it is for one."""

    name: str
    version: str = "1.0.0"
    provides: tuple[Capability, ...] = ()
    requires: tuple[Capability, ...] = ()
    client: str | None = None


PluginCatalogue: TypeAlias = Mapping[str, CataloguePlugin]

_GATEWAY = Capability("hypaware.ai-gateway")
_GATEWAY_2 = Capability("hypaware.ai-gateway", "^2.0.0")
_BLOB_STORE = Capability("hypaware.blob-store")
_ENCODER = Capability("hypaware.encoder")
_CREDENTIAL = Capability("hypaware.anthropic-credential")
_COMPLETION = Capability("hypaware.completion")
_EMBEDDER = Capability("hypaware.embedder")
_VECTOR_SEARCH = Capability("hypaware.vector-search")
_GRAPH = Capability("hypaware.context-graph")


def _version_1(capability: Capability) -> Capability:
    return capability._replace(version="1.0.0")


_PLUGINS = (
    CataloguePlugin(
        "@hypaware/ai-gateway", "2.0.0", provides=(_GATEWAY._replace(version="2.0.0"),)
    ),
    CataloguePlugin("@hypaware/central", provides=(Capability("hypaware.http-endpoint", "1.0.0"),)),
    CataloguePlugin("@hypaware/claude", "2.0.0", requires=(_GATEWAY_2,), client="claude"),
    CataloguePlugin("@hypaware/codex", "2.0.0", requires=(_GATEWAY_2,), client="codex"),
    CataloguePlugin("@hypaware/local-fs", provides=(_version_1(_BLOB_STORE),)),
    CataloguePlugin("@hypaware/s3", provides=(_version_1(_BLOB_STORE),)),
    CataloguePlugin(
        "@hypaware/format-jsonl", provides=(_version_1(_ENCODER),), requires=(_BLOB_STORE,)
    ),
    CataloguePlugin(
        "@hypaware/format-parquet", provides=(_version_1(_ENCODER),), requires=(_BLOB_STORE,)
    ),
    CataloguePlugin(
        "@hypaware/format-iceberg",
        provides=(Capability("hypaware.table-format", "1.0.0"),),
        requires=(_BLOB_STORE, _ENCODER),
    ),
    CataloguePlugin("@hypaware/otel"),
    CataloguePlugin("@hypaware/hermes"),
    CataloguePlugin("@hypaware/gascity"),
    CataloguePlugin("@hypaware/openclaw", requires=(_GATEWAY,), client="openclaw"),
    CataloguePlugin("@hypaware/claude-account", provides=(_version_1(_CREDENTIAL),)),
    CataloguePlugin(
        "@hypaware/claude-desktop", requires=(_GATEWAY, _CREDENTIAL), client="claude-desktop"
    ),
    CataloguePlugin("@hypaware/completion-anthropic", provides=(_version_1(_COMPLETION),)),
    CataloguePlugin("@hypaware/completion-openai", provides=(_version_1(_COMPLETION),)),
    CataloguePlugin("@hypaware/embedder-openai", provides=(_version_1(_EMBEDDER),)),
    CataloguePlugin(
        "@hypaware/vector-search", provides=(_version_1(_VECTOR_SEARCH),), requires=(_EMBEDDER,)
    ),
    CataloguePlugin("@hypaware/context-graph", "0.1.0", provides=(_version_1(_GRAPH),)),
    CataloguePlugin("@hypaware/ai-gateway-graph", "0.1.0", requires=(_GRAPH,)),
    CataloguePlugin(
        "@hypaware/context-graph-enrich",
        "0.1.0",
        requires=(_GRAPH, _VECTOR_SEARCH, _COMPLETION),
    ),
)
CATALOGUE: PluginCatalogue = {plugin.name: plugin for plugin in _PLUGINS}


def join_catalogue(contributed: Iterable[CataloguePlugin]) -> PluginCatalogue:
    """Add the plugins of other packages. A name of ours stays ours."""
    return {**{plugin.name: plugin for plugin in contributed}, **CATALOGUE}


def unsupported_plugins(
    document: ConfigDocument | None, runnable: Collection[str]
) -> tuple[str, ...]:
    """Return the plugins that the document enables and nothing in ``runnable`` runs here."""
    entries = document.plugins if document else ()
    names = (entry.name for entry in entries if entry.enabled and entry.name not in runnable)
    return tuple(dict.fromkeys(names))
