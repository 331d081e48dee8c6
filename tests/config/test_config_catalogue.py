from __future__ import annotations

from hypactors.config import CATALOGUE, ConfigDocument, PluginEntry, unsupported_plugins


def test_catalogue_knows_the_plugins_of_the_contract() -> None:
    """Contract §2."""
    assert len(CATALOGUE) == 22
    assert CATALOGUE["@hypaware/claude"].version == "2.0.0"
    assert CATALOGUE["@hypaware/claude"].client == "claude"
    assert CATALOGUE["@hypaware/claude"].requires == (("hypaware.ai-gateway", "^2.0.0"),)
    assert CATALOGUE["@hypaware/ai-gateway"].provides == (("hypaware.ai-gateway", "2.0.0"),)
    assert CATALOGUE["@hypaware/s3"].provides == (("hypaware.blob-store", "1.0.0"),)


def test_all_that_is_required_is_provided_by_someone() -> None:
    provided = {capability.name for p in CATALOGUE.values() for capability in p.provides}
    required = {capability.name for p in CATALOGUE.values() for capability in p.requires}
    assert required <= provided


def test_unsupported_are_the_enabled_plugins_that_nothing_here_runs() -> None:
    document = ConfigDocument(
        plugins=(
            PluginEntry("@hypaware/ai-gateway"),
            PluginEntry("@hypaware/claude"),
            PluginEntry("@hypaware/hermes", enabled=False),
            PluginEntry("@example/unheard-of"),
            PluginEntry("@example/unheard-of"),
        )
    )
    expected = ("@hypaware/ai-gateway", "@example/unheard-of")
    assert unsupported_plugins(document, {"@hypaware/claude"}) == expected
    assert unsupported_plugins(None, ()) == ()
