"""Providers are found by entry point, and a bad one is named (import 46)."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest

from hypactors.errors import ImportRunError
from hypactors.providers import find_providers
from hypactors.providers._registry import GROUP

MODULE = "made_up_providers"


@pytest.fixture
def contribute(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes an entry point of an object."""
    module = SimpleNamespace()
    monkeypatch.setitem(sys.modules, MODULE, module)

    def make(entry: str, **shape: Any) -> EntryPoint:
        fields = {
            "name": entry,
            "plugin": f"@x/{entry}",
            "datasets": ("ai_gateway_messages",),
            "summary": "Import something",
            "scan": lambda _context: None,
        }
        attribute = f"provider_{len(vars(module))}"
        setattr(module, attribute, SimpleNamespace(**{**fields, **shape}))
        return EntryPoint(name=entry, value=f"{MODULE}:{attribute}", group=GROUP)

    return make


def test_our_own_providers_are_installed() -> None:
    assert "claude" in [provider.name for provider in find_providers()]


def test_providers_are_sorted_by_name(contribute: Any) -> None:
    found = find_providers([contribute("zeta"), contribute("alpha")])

    assert [provider.name for provider in found] == ["alpha", "zeta"]


def test_a_name_that_is_taken_is_an_error_that_names_both(contribute: Any) -> None:
    with pytest.raises(ImportRunError, match=r"'twin' comes from both made_up.* and made_up.*"):
        find_providers([contribute("twin"), contribute("twin")])


@pytest.mark.parametrize(
    ("shape", "complaint"),
    [
        ({"name": ""}, "'name'"),
        ({"plugin": None}, "'plugin'"),
        ({"summary": 3}, "'summary'"),
        ({"datasets": ()}, "'datasets'"),
        ({"datasets": "ai"}, "'datasets'"),
        ({"datasets": [""]}, "'datasets'"),
        ({"scan": None}, "'scan'"),
    ],
)
def test_an_ill_shaped_contribution_is_named(
    contribute: Any, shape: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ImportRunError, match=rf"'odd' of {MODULE}.* is not usable: {complaint}"):
        find_providers([contribute("odd", **shape)])


def test_a_contribution_that_cannot_be_loaded_is_named() -> None:
    point = EntryPoint(name="gone", value="no_such_module_here:PROVIDER", group=GROUP)

    with pytest.raises(ImportRunError, match=r"provider 'gone' of no_such_module_here.* loaded"):
        find_providers([point])


@pytest.mark.process
def test_providers_load_nothing_of_the_data_plane() -> None:
    code = (
        "import sys, hypactors.providers, hypactors.providers.claude, hypactors.cli.backfill;"
        "print(sorted({'pyarrow', 'pyiceberg', 'duckdb', 'structlog'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "[]"
