"""The installed providers, as those parts know them that never load one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.actions import ProviderRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypactors.providers import Provider


def provider_refs(providers: Iterable[Provider]) -> list[ProviderRef]:
    return [
        ProviderRef(each.name, each.plugin, getattr(each, "has_history", None))
        for each in providers
    ]
