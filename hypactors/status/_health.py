"""The diagnostics, and the verdict over them.

A failed action, a dropped local entry or a stopped daemon says nothing about health.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypactors.config import ControlState, LayerProblem, Layers
    from hypactors.status._report import DiagnosticRow

_DEGRADING_KINDS = frozenset({"config_missing", "config_unreadable"})


def diagnose(
    layers: Layers,
    state: ControlState,
    marker_problems: Sequence[str],
    policy_problem: str | None = None,
) -> list[DiagnosticRow]:
    """Return what a person should look at, the config first."""
    found = [_layer_diagnostic(problem) for problem in layers.problems]
    if layers.effective is None and not found:
        found.append(
            {
                "severity": "error",
                "kind": "config_missing",
                "message": f"no config: this machine has not joined a server and"
                f" {layers.local_path} is not there",
                "repair": [],
            }
        )
    if state.problem is not None:
        found.append(_warning("config_state_unreadable", state.problem))
    found += [_warning("client_actions_unreadable", problem) for problem in marker_problems]
    if policy_problem is not None:
        found.append(
            {
                "severity": "error",
                "kind": "local_only_list_unreadable",
                "message": policy_problem,
                "repair": [],
            }
        )
    if state.last_rollback is not None:
        rollback = state.last_rollback
        found.append(
            _warning(
                "remote_config_rolled_back",
                f"remote config {rollback.etag} rolled back at {rollback.at or 'unknown time'}"
                f" ({rollback.reason or 'unknown reason'})",
                "fix the central config revision; it is applied again when the served etag changes",
            )
        )
    return found


def overall(diagnostics: Sequence[DiagnosticRow]) -> Literal["healthy", "degraded"]:
    """Degraded when a diagnostic is an error, or says that no config could be had."""
    is_degraded = any(
        diagnostic["severity"] == "error" or diagnostic["kind"] in _DEGRADING_KINDS
        for diagnostic in diagnostics
    )
    return "degraded" if is_degraded else "healthy"


def _layer_diagnostic(problem: LayerProblem) -> DiagnosticRow:
    if problem.severity == "warning":
        kind = "config_local_unreadable"
    elif problem.kind in {"config_missing", "config_unreadable"}:
        kind = "config_unreadable"
    else:
        kind = "config_invalid"
    row: DiagnosticRow = {
        "severity": problem.severity,
        "kind": kind,
        "message": problem.message,
        "repair": [],
    }
    if problem.pointer:
        row["pointer"] = problem.pointer
    return row


def _warning(kind: str, message: str, *repair: str) -> DiagnosticRow:
    return {"severity": "warning", "kind": kind, "message": message, "repair": list(repair)}
