"""The reference server: the other end of the wire, for a trial, for tests, for a small fleet.

Needs the optional dependencies ``server``. What serves loads the data plane, and is loaded when it
is first asked for; the administration does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hypactors.central.server._configs import name_fault, objections
from hypactors.central.server._place import PUBLIC_URL, Place
from hypactors.central.server._store import Config, Gateway, Store, Token, utc_now

if TYPE_CHECKING:
    from hypactors.central.server._app import Services, create_app
    from hypactors.central.server._serve import serve

__all__ = [
    "PUBLIC_URL",
    "Config",
    "Gateway",
    "Place",
    "Services",
    "Store",
    "Token",
    "create_app",
    "name_fault",
    "objections",
    "serve",
    "utc_now",
]

_LATER = {"Services": "_app", "create_app": "_app", "serve": "_serve"}


def __getattr__(name: str) -> object:
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
