"""The reference server: the other end of the wire, for a trial, for tests, for a small fleet.

Needs the optional dependencies ``server``, and loads the data plane.
"""

from hypactors.central.server._app import Services, create_app
from hypactors.central.server._configs import name_fault, objections
from hypactors.central.server._serve import PUBLIC_URL, Place, serve
from hypactors.central.server._store import Config, Gateway, Store, Token, utc_now

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
