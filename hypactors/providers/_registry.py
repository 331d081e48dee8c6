"""The providers that are installed: ours, and those of other packages."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from hypactors.config import BUILT_IN_SECTIONS, CataloguePlugin, join_catalogue
from hypactors.errors import ImportRunError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

    from hypactors.config import PluginCatalogue, SectionValidators
    from hypactors.providers._protocol import Provider, ValidatingProvider

GROUP = "hypactors.providers"


@dataclass(frozen=True, slots=True)
class InstalledPlugins:
    """What a config document is checked against on this machine (config-control §1.5).

    ``notes`` has one line for each contribution that had to be left out.
    """

    catalogue: PluginCatalogue
    datasets: frozenset[str]
    sections: SectionValidators
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderFault:
    """A contribution that cannot be used, under the name of its entry point."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProviderScan:
    """What is installed: what can be used, by name, and what cannot."""

    providers: tuple[Provider, ...]
    faults: tuple[ProviderFault, ...]
    plugins: InstalledPlugins


def scan_providers(points: Iterable[EntryPoint] | None = None) -> ProviderScan:
    """Look at every contribution once. One that is not usable keeps nobody else out.

    Of two providers of one name neither is used: which of them is meant, only a person knows.
    """
    found: dict[str, tuple[Provider, EntryPoint]] = {}
    faults: dict[str, ProviderFault] = {}
    for point in _points(points):
        try:
            provider = _load(point)
        except ImportRunError as error:
            faults[point.name] = ProviderFault(point.name, str(error))
            continue
        if provider.name in found or provider.name in faults:
            other = found.pop(provider.name, None)
            first = _origin(other[1]) if other is not None else "another package"
            message = (
                f"provider '{provider.name}' comes from both {first} and "
                f"{_origin(point)}: uninstall one of them"
            )
            faults[provider.name] = ProviderFault(provider.name, message)
        else:
            found[provider.name] = (provider, point)
    usable = [found[name] for name in sorted(found)]
    plugins = _known_plugins(usable, [fault.reason for fault in faults.values()])
    return ProviderScan(tuple(provider for provider, _ in usable), tuple(faults.values()), plugins)


def find_providers(points: Iterable[EntryPoint] | None = None) -> tuple[Provider, ...]:
    """Return every provider, sorted by name.

    Raises ``ImportRunError`` that names the distribution when a contribution cannot be loaded, has
    the wrong shape, or takes a name that is taken (import §1).
    """
    scan = scan_providers(points)
    if scan.faults:
        raise ImportRunError(scan.faults[0].reason)
    return scan.providers


def find_plugins(points: Iterable[EntryPoint] | None = None) -> InstalledPlugins:
    """Return the known plugins, ours and those that installed providers belong to.

    No plugin of a document is started for that, so it serves for one that the document only
    introduces. A contribution that is not usable is left out with a note: it must not keep a
    config from being checked.
    """
    return scan_providers(points).plugins


def _known_plugins(
    usable: Iterable[tuple[Provider, EntryPoint]], faults: Iterable[str]
) -> InstalledPlugins:
    plugins: dict[str, CataloguePlugin] = {}
    sections = dict(BUILT_IN_SECTIONS)
    datasets: set[str] = set()
    notes = list(faults)
    for provider, point in usable:
        version = point.dist.version if point.dist is not None else ""
        plugins.setdefault(provider.plugin, CataloguePlugin(provider.plugin, version))
        datasets.update(provider.datasets)
        if getattr(provider, "validate_config", None) is None:
            continue
        if provider.plugin in sections:
            notes.append(
                f"provider '{provider.name}' of {_origin(point)} brings rules for the config of "
                f"{provider.plugin}, which has some: they are not used"
            )
            continue
        sections[provider.plugin] = cast("ValidatingProvider", provider).validate_config
    return InstalledPlugins(
        join_catalogue(plugins.values()), frozenset(datasets), sections, tuple(notes)
    )


def _points(points: Iterable[EntryPoint] | None) -> list[EntryPoint]:
    return sorted(
        entry_points(group=GROUP) if points is None else points,
        key=lambda point: (point.name, _origin(point)),
    )


def _load(point: EntryPoint) -> Provider:
    try:
        loaded = point.load()
    # Another package's module may raise anything while it is imported.
    except Exception as error:
        message = f"provider '{point.name}' of {_origin(point)} cannot be loaded: {error}"
        raise ImportRunError(message) from error
    fault = fault_of(loaded)
    if fault is not None:
        message = f"provider '{point.name}' of {_origin(point)} is not usable: {fault}"
        raise ImportRunError(message)
    return cast("Provider", loaded)


def fault_of(loaded: object) -> str | None:
    """Say what of a provider's shape is wrong (import §1)."""
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
    for key in ("validate_config", "has_history", "plan"):
        method = getattr(loaded, key, None)
        if method is not None and not callable(method):
            return f"'{key}' must be callable"
    return None


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
