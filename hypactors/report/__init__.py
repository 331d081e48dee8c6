"""The report: one HTML page of what the agents of a machine did and how the machine is doing."""

from hypactors.report._history import ImportHistory, ImportRun, read_history
from hypactors.report._page import render_page

__all__ = ["ImportHistory", "ImportRun", "read_history", "render_page"]
