"""The names under which the actors reach each other; a runner's is ``actions.runner_name``."""

SUPERVISOR = "supervisor"
MARKER_STORE = "marker-store"
CONFIG_CONTROL = "config-control"
RECONCILER = "reconciler"
CONTROL_ENDPOINT = "control-endpoint"
MAINTENANCE = "maintenance"

CENTRAL_LINK = "central-link"
"""Tells config control of polls, and is told what became of a document and which config runs."""


def forward_name(sink: str) -> str:
    """Return the name of the runner that forwards to a sink."""
    return f"forward:{sink}"
