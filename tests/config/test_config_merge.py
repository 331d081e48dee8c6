from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.config import (
    BlobSink,
    ConfigDocument,
    DroppedEntry,
    PluginEntry,
    Query,
    RequestSink,
    Retention,
    merge_layers,
)

CENTRAL = ConfigDocument(
    plugins=(
        PluginEntry("@hypaware/central"),
        PluginEntry("@hypaware/claude", config={"backfill": {"on_join": False}}),
    ),
    sinks={"central": RequestSink("@hypaware/central")},
    disambiguate={"hypaware.completion": "@hypaware/completion-openai"},
)
LOCAL = ConfigDocument(
    plugins=(
        PluginEntry("@hypaware/otel"),
        PluginEntry("@hypaware/claude", config={"backfill": {"on_join": True}}),
    ),
    sinks={
        "central": RequestSink("@example/elsewhere"),
        "files": BlobSink("@hypaware/format-jsonl", "@hypaware/local-fs"),
    },
    query=Query(retention=Retention(7)),
    disambiguate={
        "hypaware.completion": "@hypaware/completion-anthropic",
        "hypaware.embedder": "@hypaware/embedder-openai",
    },
)


def test_without_a_central_layer_the_local_document_itself_is_in_force() -> None:
    """config-control 7."""
    merged = merge_layers(None, LOCAL)
    assert merged.effective is LOCAL
    assert merged.dropped == ()


def test_with_neither_layer_the_merge_is_an_empty_document() -> None:
    """config-control 7."""
    assert merge_layers(None, None).effective == ConfigDocument()


def test_collisions_are_dropped_whole_and_the_central_value_stays() -> None:
    """config-control 8."""
    merged = merge_layers(CENTRAL, LOCAL)

    assert merged.effective.plugins == (*CENTRAL.plugins, PluginEntry("@hypaware/otel"))
    assert dict(merged.effective.sinks) == {
        "central": RequestSink("@hypaware/central"),
        "files": BlobSink("@hypaware/format-jsonl", "@hypaware/local-fs"),
    }
    assert list(merged.effective.sinks) == ["central", "files"]
    assert dict(merged.effective.disambiguate) == {
        "hypaware.completion": "@hypaware/completion-openai",
        "hypaware.embedder": "@hypaware/embedder-openai",
    }
    assert merged.dropped == (
        DroppedEntry("plugins", "@hypaware/claude", "collides_with_central"),
        DroppedEntry("sinks", "central", "collides_with_central"),
        DroppedEntry("disambiguate", "hypaware.completion", "collides_with_central"),
    )


def test_a_local_entry_cannot_flip_a_locked_opt_out() -> None:
    """config-control 12."""
    claude = [e for e in merge_layers(CENTRAL, LOCAL).effective.plugins if "claude" in e.name]
    assert [entry.config for entry in claude] == [{"backfill": {"on_join": False}}]


def test_the_query_block_is_the_local_one() -> None:
    """config-control 9."""
    central = ConfigDocument(query=Query(retention=Retention(365)))

    merged = merge_layers(central, LOCAL)
    assert merged.effective.query == LOCAL.query
    assert merged.central_query_ignored

    merged = merge_layers(ConfigDocument(query=Query()), ConfigDocument())
    assert merged.effective.query is None
    assert merged.central_query_ignored

    assert not merge_layers(CENTRAL, LOCAL).central_query_ignored


NAMES = st.lists(st.sampled_from("abcde"), max_size=4, unique=True)


@settings(max_examples=100, deadline=None)
@given(NAMES, NAMES)
def test_every_local_entry_is_in_force_or_dropped(central: list[str], local: list[str]) -> None:
    merged = merge_layers(
        ConfigDocument(plugins=tuple(PluginEntry(name, version="c") for name in central)),
        ConfigDocument(plugins=tuple(PluginEntry(name, version="l") for name in local)),
    )
    in_force = [(entry.name, entry.version) for entry in merged.effective.plugins]
    added = [name for name in local if name not in central]
    assert in_force == [(name, "c") for name in central] + [(name, "l") for name in added]
    assert [entry.key for entry in merged.dropped] == [name for name in local if name in central]
