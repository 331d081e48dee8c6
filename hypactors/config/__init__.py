"""Config documents, the two layers and their merge, and what the control folder remembers."""

from hypactors.config._catalogue import (
    CATALOGUE,
    Capability,
    CataloguePlugin,
    PluginCatalogue,
    join_catalogue,
    unsupported_plugins,
)
from hypactors.config._control import (
    active_slot,
    confirmed_at,
    read_control_state,
    running_etag,
)
from hypactors.config._cron import next_match
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
    maintenance_interval_s,
    plain_document,
    retention_days,
)
from hypactors.config._engine import ApplyEngine
from hypactors.config._layers import (
    CentralSource,
    LayerName,
    LayerProblem,
    Layers,
    lake_of,
    machine_lake,
    resolve_layers,
)
from hypactors.config._merge import DroppedEntry, Merged, merge_layers
from hypactors.config._pins import check_pins
from hypactors.config._results import (
    BootAction,
    EventLog,
    RollbackReason,
    RollbackResult,
    StageResult,
)
from hypactors.config._sections import (
    BUILT_IN_SECTIONS,
    SectionError,
    SectionValidator,
    SectionValidators,
)
from hypactors.config._served import ApplyChecks, Complaint, InstallFailure
from hypactors.config._shape import parse_document
from hypactors.config._slots import reset_to_seed
from hypactors.config._state import BadEtag, ControlState, Probation, Rollback
from hypactors.config._validate import ValidationError, validate_document

__all__ = [
    "BUILT_IN_SECTIONS",
    "CATALOGUE",
    "DEFAULT_RETENTION_DAYS",
    "ApplyChecks",
    "ApplyEngine",
    "BadEtag",
    "BlobSink",
    "BootAction",
    "Capability",
    "CataloguePlugin",
    "CentralSource",
    "Complaint",
    "ConfigDocument",
    "ControlState",
    "DocumentError",
    "DroppedEntry",
    "EventLog",
    "InstallFailure",
    "LayerName",
    "LayerProblem",
    "Layers",
    "Merged",
    "PluginCatalogue",
    "PluginEntry",
    "Probation",
    "Query",
    "RequestSink",
    "Retention",
    "Rollback",
    "RollbackReason",
    "RollbackResult",
    "SectionError",
    "SectionValidator",
    "SectionValidators",
    "ShapeError",
    "StageResult",
    "ValidationError",
    "active_slot",
    "check_pins",
    "confirmed_at",
    "join_catalogue",
    "lake_of",
    "machine_lake",
    "maintenance_interval_s",
    "merge_layers",
    "next_match",
    "parse_document",
    "plain_document",
    "read_control_state",
    "reset_to_seed",
    "resolve_layers",
    "retention_days",
    "running_etag",
    "unsupported_plugins",
    "validate_document",
]
