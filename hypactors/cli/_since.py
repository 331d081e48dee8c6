"""The option ``--since`` of the overview and of the report."""

from __future__ import annotations

from datetime import UTC, datetime

from hypactors.clock import parse_iso
from hypactors.errors import UsageError
from hypactors.logs import parse_since


def since_option(text: str | None) -> datetime | None:
    """Return the moment that is meant; none without the option. Raises ``UsageError``."""
    if text is None:
        return None
    try:
        return parse_iso(parse_since(text, datetime.now(UTC)))
    except ValueError as error:
        raise UsageError(f"--since {error}") from None
