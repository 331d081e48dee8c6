"""What a plugin's own config says about backfill: one reader for reconciler and status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypactors.actions._json import whole_number


@dataclass(frozen=True, slots=True)
class BackfillPolicy:
    """Whether joining imports the history, and how many days of it (None: what is retained)."""

    on_join: bool = True
    window_days: int | None = None


def read_policy(plugin_config: Mapping[str, Any] | None) -> BackfillPolicy:
    """Read ``config.backfill`` of a plugin entry; never raises (client-actions §5).

    A malformed opt-out is an opt-out: only an absent block or key means the default, which is on.
    """
    block = (plugin_config or {}).get("backfill")
    if not isinstance(block, Mapping):
        return BackfillPolicy()
    window_days = whole_number(block.get("window_days"))
    return BackfillPolicy(
        on_join=block.get("on_join", True) is True,
        window_days=window_days if window_days is not None and window_days > 0 else None,
    )
