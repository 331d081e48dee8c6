"""Config documents, the two layers and their merge, and what the control folder remembers."""

from hypactors.config._catalogue import (
    CATALOGUE,
    Capability,
    CataloguePlugin,
    unsupported_plugins,
)
from hypactors.config._control import (
    BadEtag,
    ControlState,
    Probation,
    Rollback,
    active_slot,
    clear_probation,
    read_control_state,
    running_etag,
)
from hypactors.config._document import (
    DEFAULT_RETENTION_DAYS,
    BlobSink,
    ConfigDocument,
    DocumentError,
    PluginEntry,
    Query,
    RequestSink,
    Retention,
    ShapeError,
    retention_days,
)
from hypactors.config._layers import CentralSource, LayerProblem, Layers, resolve_layers
from hypactors.config._merge import DroppedEntry, Merged, merge_layers
from hypactors.config._shape import parse_document

__all__ = [
    "CATALOGUE",
    "DEFAULT_RETENTION_DAYS",
    "BadEtag",
    "BlobSink",
    "Capability",
    "CataloguePlugin",
    "CentralSource",
    "ConfigDocument",
    "ControlState",
    "DocumentError",
    "DroppedEntry",
    "LayerProblem",
    "Layers",
    "Merged",
    "PluginEntry",
    "Probation",
    "Query",
    "RequestSink",
    "Retention",
    "Rollback",
    "ShapeError",
    "active_slot",
    "clear_probation",
    "merge_layers",
    "parse_document",
    "read_control_state",
    "resolve_layers",
    "retention_days",
    "running_etag",
    "unsupported_plugins",
]
