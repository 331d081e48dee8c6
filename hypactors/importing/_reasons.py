"""Why an import failed, in one line."""

from __future__ import annotations

from hypactors.errors import HypError


def reason_of(error: Exception) -> str:
    """Return what the marker and a person get to read, never a stack trace."""
    text = " ".join(str(error).split())
    if isinstance(error, HypError | OSError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
