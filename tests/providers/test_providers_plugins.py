"""What a config is checked against: our plugins, and those of the providers that are installed."""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, EntryPoint
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.config import (
    CATALOGUE,
    ConfigDocument,
    PluginEntry,
    SectionError,
    validate_document,
)
from hypactors.errors import ImportRunError
from hypactors.providers import find_plugins, find_providers
from hypactors.providers._registry import GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODULE = "made_up_provider_plugins"


class OtherPackage:
    """A distribution on disk that brings providers."""

    def __init__(self, folder: Path) -> None:
        info = folder / "other_package-3.1.4.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: other-package\nVersion: 3.1.4\n")
        self._info = info
        self.module = SimpleNamespace()

    def point(self, name: str, **shape: Any) -> EntryPoint:
        fields = {
            "name": name,
            "plugin": f"@x/{name}",
            "datasets": (f"{name}_rows",),
            "summary": "Import something",
            "scan": lambda _context: None,
        }
        setattr(self.module, name, SimpleNamespace(**{**fields, **shape}))
        return self.points(f"[{GROUP}]\n{name} = {MODULE}:{name}\n")

    def points(self, text: str) -> EntryPoint:
        (self._info / "entry_points.txt").write_text(text)
        (point,) = Distribution.at(self._info).entry_points
        return point


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OtherPackage:
    package = OtherPackage(tmp_path)
    monkeypatch.setitem(sys.modules, MODULE, package.module)
    return package


def refuse(config: Mapping[str, Any]) -> list[SectionError]:
    return [] if config.get("fine") else [SectionError("/fine", "is required")]


def kinds(document: ConfigDocument, point: EntryPoint) -> list[tuple[str, str]]:
    installed = find_plugins([point])
    errors = validate_document(
        document,
        plugins=installed.catalogue,
        datasets=installed.datasets,
        sections=installed.sections,
    )
    return [(error.kind, error.pointer) for error in errors]


def test_our_own_plugins_are_those_of_the_catalogue() -> None:
    installed = find_plugins()
    assert installed.catalogue == CATALOGUE
    assert "ai_gateway_messages" in installed.datasets
    assert installed.sections.keys() == {"@hypaware/claude", "@hypaware/codex"}
    assert installed.notes == ()


def test_the_plugin_of_another_package_has_the_version_of_its_distribution(
    other: OtherPackage,
) -> None:
    installed = find_plugins([other.point("aider")])
    assert installed.catalogue["@x/aider"].version == "3.1.4"
    assert installed.datasets == {"aider_rows"}
    assert installed.catalogue.items() >= CATALOGUE.items()


def test_a_plugin_that_a_document_only_introduces_is_checked_by_its_own_rules(
    other: OtherPackage,
) -> None:
    """config-control 25."""
    point = other.point("aider", validate_config=refuse)
    document = ConfigDocument(plugins=(PluginEntry("@x/aider"),))
    assert kinds(document, point) == [("config_section_invalid", "/plugins/0/config/fine")]
    document = ConfigDocument(plugins=(PluginEntry("@x/aider", config={"fine": True}),))
    assert kinds(document, point) == []


def test_a_provider_without_rules_accepts_any_config(other: OtherPackage) -> None:
    document = ConfigDocument(plugins=(PluginEntry("@x/aider", config={"a": 1}),))
    assert kinds(document, other.point("aider")) == []


def test_second_rules_for_one_plugin_are_left_out_and_noted(other: OtherPackage) -> None:
    point = other.point("mine", plugin="@hypaware/claude", validate_config=refuse)
    installed = find_plugins([point])
    assert installed.catalogue["@hypaware/claude"] is CATALOGUE["@hypaware/claude"]
    assert list(installed.sections["@hypaware/claude"]({})) == []
    (note,) = installed.notes
    assert note == (
        "provider 'mine' of other-package brings rules for the config of @hypaware/claude, "
        "which has some: they are not used"
    )


def test_a_contribution_that_cannot_be_used_is_left_out_and_noted(other: OtherPackage) -> None:
    installed = find_plugins([other.points(f"[{GROUP}]\ngone = no_such_module_at_all:X\n")])
    assert installed.catalogue == CATALOGUE
    (note,) = installed.notes
    assert note.startswith("provider 'gone' of other-package cannot be loaded: ")


def test_rules_that_cannot_be_called_are_an_error_of_shape(other: OtherPackage) -> None:
    point = other.point("odd", validate_config="no function")
    with pytest.raises(ImportRunError, match="'validate_config' must be callable"):
        find_providers([point])
