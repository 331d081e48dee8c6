"""How much the cache holds, from names and sizes alone: no table is opened."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_MONTH_FOLDER = re.compile(r"[a-z_]+_month=(\d{4}-\d{2})")


class CacheSize(NamedTuple):
    """Bytes in all files, and the first day of the oldest month that has any."""

    size_bytes: int
    oldest_partition_date: str | None


def measure(folder: Path) -> CacheSize:
    """Walk a folder. What vanishes or cannot be looked into meanwhile counts nothing."""
    total = 0
    months = set()
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - hot loop
            except OSError:
                continue
        month = _MONTH_FOLDER.search(parent) if names else None
        if month is not None:
            months.add(month[1])
    return CacheSize(total, f"{min(months)}-01" if months else None)
