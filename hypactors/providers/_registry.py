"""The providers that are installed: ours, and those of other packages."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from hypactors.errors import ImportRunError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

    from hypactors.providers._protocol import Provider

GROUP = "hypactors.providers"


def find_providers(points: Iterable[EntryPoint] | None = None) -> tuple[Provider, ...]:
    """Return every provider, sorted by name.

    Raises ``ImportRunError`` that names the distribution when a contribution cannot be loaded, has
    the wrong shape, or takes a name that is taken (import §1).
    """
    found: dict[str, tuple[Provider, str]] = {}
    for point in sorted(
        entry_points(group=GROUP) if points is None else points,
        key=lambda point: (point.name, _origin(point)),
    ):
        provider = _load(point)
        if provider.name in found:
            message = (
                f"provider '{provider.name}' comes from both {found[provider.name][1]} and "
                f"{_origin(point)}: uninstall one of them"
            )
            raise ImportRunError(message)
        found[provider.name] = (provider, _origin(point))
    return tuple(found[name][0] for name in sorted(found))


def _load(point: EntryPoint) -> Provider:
    try:
        loaded = point.load()
    # Another package's module may raise anything while it is imported.
    except Exception as error:
        message = f"provider '{point.name}' of {_origin(point)} cannot be loaded: {error}"
        raise ImportRunError(message) from error
    fault = _fault(loaded)
    if fault is not None:
        message = f"provider '{point.name}' of {_origin(point)} is not usable: {fault}"
        raise ImportRunError(message)
    return cast("Provider", loaded)


def _fault(loaded: object) -> str | None:
    """Say what of the contribution's shape is wrong (import §1)."""
    for key in ("name", "plugin", "summary"):
        value = getattr(loaded, key, None)
        if not isinstance(value, str) or not value:
            return f"'{key}' must be a non-empty string"
    datasets = getattr(loaded, "datasets", None)
    if (
        not isinstance(datasets, list | tuple)
        or not datasets
        or not all(isinstance(dataset, str) and dataset for dataset in datasets)
    ):
        return "'datasets' must be a non-empty list of names"
    if not callable(getattr(loaded, "scan", None)):
        return "'scan' must be callable"
    return None


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
