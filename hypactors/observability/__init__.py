"""Structured logs: how they are written, and how they are exported."""

from hypactors.observability._daemon_log import DaemonLog, readable_line
from hypactors.observability._otlp_export import OtlpExport
from hypactors.observability._otlp_settings import OtlpTarget, otlp_target
from hypactors.observability._otlp_traces import BEGINS

__all__ = [
    "BEGINS",
    "DaemonLog",
    "OtlpExport",
    "OtlpTarget",
    "otlp_target",
    "readable_line",
]
