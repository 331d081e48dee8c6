"""What goes wrong with a catalogue, in a line that a person can act on."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NotInstalledError
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from hypactors.errors import HypError
from hypactors.lake.redaction import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypactors.lake import Lake

_GROUPS = {"psycopg": "hypactors[postgres]"}
"""What a catalogue may ask for, and the group of ours that brings it."""


@contextlib.contextmanager
def told_plainly(lake: Lake) -> Iterator[None]:
    """Raise ``HypError`` for what goes wrong with a shared catalogue; it quotes no password.

    That of a machine of one's own knows none, and its faults are known by their type.
    """
    try:
        yield
    except HypError:
        raise
    # Drivers, file systems and catalogues of any kind: each has its own errors.
    except Exception as error:
        if not lake.is_shared:
            raise
        raise HypError(f"the catalogue {lake}: {_reason(lake, error)}") from error


def _reason(lake: Lake, error: Exception) -> str:
    # pyiceberg says which of its own groups it would like instead.
    missing = error.__cause__ if isinstance(error, NotInstalledError) else error
    if isinstance(missing, ModuleNotFoundError):
        name = (missing.name or "").partition(".")[0]
        package = _GROUPS.get(name, name)
        return f"needs {name}, which is not installed: pip install '{package}'"
    if isinstance(error, DBAPIError):  # without the statement, which nobody here has typed
        return without_secrets(str(error.orig), lake.properties)
    text = without_secrets(str(error), lake.properties) or type(error).__name__
    if isinstance(error, NoSuchModuleError):
        return f"{text}; is the address right?"
    return text
