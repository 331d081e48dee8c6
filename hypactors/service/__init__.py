"""The daemon under a service manager: systemd's user units, launchd's agents, what they are told.

Names are loaded when they are first asked for: a daemon needs none but the notifier.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypactors.service._launchd import LaunchdAgent
    from hypactors.service._manager import (
        CommandFailed,
        ManagerMissing,
        Service,
        ServiceState,
        detect_service,
        run_command,
    )
    from hypactors.service._notify import Notifier
    from hypactors.service._spec import STOP_MARGIN_S, ServiceSpec
    from hypactors.service._systemd import SystemdUnit

__all__ = [
    "STOP_MARGIN_S",
    "CommandFailed",
    "LaunchdAgent",
    "ManagerMissing",
    "Notifier",
    "Service",
    "ServiceSpec",
    "ServiceState",
    "SystemdUnit",
    "detect_service",
    "run_command",
]

_MODULES = {
    "_launchd": ("LaunchdAgent",),
    "_manager": (
        "CommandFailed",
        "ManagerMissing",
        "Service",
        "ServiceState",
        "detect_service",
        "run_command",
    ),
    "_notify": ("Notifier",),
    "_spec": ("STOP_MARGIN_S", "ServiceSpec"),
    "_systemd": ("SystemdUnit",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
