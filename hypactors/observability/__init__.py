"""Structured logs: how they are written."""

from hypactors.observability._daemon_log import DaemonLog, readable_line

__all__ = ["DaemonLog", "readable_line"]
