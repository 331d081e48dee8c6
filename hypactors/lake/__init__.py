"""Where rows are kept, its locks, and what can be told of it without loading the data plane."""

from hypactors.lake._lake import CATALOG_NAME, Lake
from hypactors.lake._location import (
    CATALOG_FILE,
    NEXT_SEQ,
    CacheEnd,
    cache_end,
    cache_id,
    metadata_location,
)
from hypactors.lake._lock import DatasetLock, ReadersLock
from hypactors.lake._plan import keep_plan, kept_plan

__all__ = [
    "CATALOG_FILE",
    "CATALOG_NAME",
    "NEXT_SEQ",
    "CacheEnd",
    "DatasetLock",
    "Lake",
    "ReadersLock",
    "cache_end",
    "cache_id",
    "keep_plan",
    "kept_plan",
    "metadata_location",
]
