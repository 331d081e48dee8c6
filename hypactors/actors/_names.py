"""The names under which the actors reach each other."""

SUPERVISOR = "supervisor"
MARKER_STORE = "marker-store"
CONFIG_CONTROL = "config-control"
RECONCILER = "reconciler"
CONTROL_ENDPOINT = "control-endpoint"
RUNNER_PREFIX = "backfill:"
