"""Clients whose history can be imported. Loads nothing of the data plane."""

from hypactors.providers._expand import ROW_COLUMNS, Row, expand
from hypactors.providers._findings import Detail, Finding, Findings
from hypactors.providers._protocol import (
    Exchange,
    Message,
    Notice,
    NoticingScan,
    PlanningProvider,
    ProbingProvider,
    Provider,
    Scan,
    ScanContext,
    ValidatingProvider,
    Window,
)
from hypactors.providers._registry import (
    InstalledPlugins,
    ProviderScan,
    find_plugins,
    find_providers,
    scan_providers,
)
from hypactors.providers._time import iso_of, parse_time_ms

__all__ = [
    "ROW_COLUMNS",
    "Detail",
    "Exchange",
    "Finding",
    "Findings",
    "InstalledPlugins",
    "Message",
    "Notice",
    "NoticingScan",
    "PlanningProvider",
    "ProbingProvider",
    "Provider",
    "ProviderScan",
    "Row",
    "Scan",
    "ScanContext",
    "ValidatingProvider",
    "Window",
    "expand",
    "find_plugins",
    "find_providers",
    "iso_of",
    "parse_time_ms",
    "scan_providers",
]
