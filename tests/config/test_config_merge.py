from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.config import (
    BlobSink,
    CataloguePlugin,
    ConfigDocument,
    DroppedEntry,
    PluginEntry,
    Query,
    RequestSink,
    Retention,
    join_catalogue,
    merge_layers,
    validate_document,
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


def plugins(*names: str, **fields: Any) -> ConfigDocument:
    return ConfigDocument(plugins=tuple(PluginEntry(name) for name in names), **fields)


def names(document: ConfigDocument) -> list[str]:
    return [entry.name for entry in document.plugins]


OPENAI, ANTHROPIC = "@hypaware/completion-openai", "@hypaware/completion-anthropic"
COMPLETION = "hypaware.completion"
TIE = DroppedEntry("plugins", ANTHROPIC, "invalid_merge", "capability_ambiguous")


def test_a_local_plugin_that_ties_with_a_central_one_is_dropped_alone() -> None:
    """config-control 10."""
    central = plugins("@hypaware/central", OPENAI)
    local = plugins("@hypaware/otel", ANTHROPIC, "@hypaware/hermes")
    merged = merge_layers(central, local)
    expected = ["@hypaware/central", OPENAI, "@hypaware/otel", "@hypaware/hermes"]
    assert names(merged.effective) == expected
    assert merged.dropped == (TIE,)


def test_an_ambiguity_of_the_central_layer_drops_nothing_local() -> None:
    """config-control 11."""
    merged = merge_layers(plugins(OPENAI, ANTHROPIC), plugins("@hypaware/otel"))
    assert names(merged.effective) == [OPENAI, ANTHROPIC, "@hypaware/otel"]
    assert merged.dropped == ()


@pytest.mark.parametrize("pinned", [OPENAI, ANTHROPIC])
def test_a_local_plugin_whose_tie_the_local_layer_pins_is_kept_with_the_pin(pinned: str) -> None:
    """The other client tries plugins before pins, so it drops this plugin."""
    local = plugins(ANTHROPIC, disambiguate={COMPLETION: pinned})
    merged = merge_layers(plugins(OPENAI), local)
    assert names(merged.effective) == [OPENAI, ANTHROPIC]
    assert merged.effective.disambiguate == {COMPLETION: pinned}
    assert merged.dropped == ()


def test_a_pin_that_names_neither_does_not_save_a_plugin() -> None:
    local = plugins(ANTHROPIC, disambiguate={COMPLETION: "@hypaware/otel"})
    assert merge_layers(plugins(OPENAI), local).dropped == (TIE,)


def test_a_central_pin_settles_a_tie_that_a_local_plugin_brings() -> None:
    central = plugins(OPENAI, disambiguate={COMPLETION: OPENAI})
    local = plugins(ANTHROPIC, disambiguate={COMPLETION: ANTHROPIC})
    merged = merge_layers(central, local)
    assert names(merged.effective) == [OPENAI, ANTHROPIC]
    assert merged.effective.disambiguate == {COMPLETION: OPENAI}
    assert merged.dropped == (DroppedEntry("disambiguate", COMPLETION, "collides_with_central"),)


def test_a_local_entry_that_cannot_work_is_dropped_with_its_error() -> None:
    local = plugins(
        "@x/gone",
        "@hypaware/otel",
        "@hypaware/otel",
        sinks={
            "bad": RequestSink("@hypaware/otel"),
            "good": RequestSink("@hypaware/central", {"schedule": "0 * * * *"}),
            "late": RequestSink("@hypaware/central", {"schedule": "@hourly"}),
        },
    )
    merged = merge_layers(plugins("@hypaware/claude"), local)
    assert names(merged.effective) == ["@hypaware/claude", "@hypaware/otel"]
    assert list(merged.effective.sinks) == ["good"]
    assert merged.dropped == (
        DroppedEntry("plugins", "@x/gone", "invalid_merge", "plugin_unknown"),
        DroppedEntry("plugins", "@hypaware/otel", "invalid_merge", "duplicate_plugin"),
        DroppedEntry("sinks", "bad", "invalid_merge", "sink_pair_incompatible"),
        DroppedEntry("sinks", "late", "invalid_merge", "sink_schedule_invalid"),
    )


def test_what_central_breaks_by_itself_stays_and_takes_nothing_with_it() -> None:
    central = plugins("@x/gone", sinks={"c": RequestSink("@x/gone")})
    merged = merge_layers(central, plugins("@hypaware/otel", "@x/new"), join_catalogue([NEW]))
    assert names(merged.effective) == ["@x/gone", "@hypaware/otel", "@x/new"]
    assert list(merged.effective.sinks) == ["c"]
    assert merged.dropped == ()


def test_the_local_query_block_is_never_a_reason_to_drop() -> None:
    query = Query(retention=Retention(1, {"no such dataset": 1}))
    merged = merge_layers(plugins(), plugins("@hypaware/otel", query=query))
    assert merged.effective.query == query
    assert merged.dropped == ()


class Untouchable(dict[str, CataloguePlugin]):
    """A catalogue that nobody may look into."""

    def __contains__(self, key: object) -> bool:
        raise AssertionError(key)

    def get(self, key: str, default: Any = None) -> Any:
        raise AssertionError(key, default)


def test_without_a_central_layer_nothing_is_checked() -> None:
    """config-control 7."""
    local = plugins("@x/gone", "@x/gone")
    assert merge_layers(None, local, Untouchable()).effective is local


NEW = CataloguePlugin("@x/new")
NAMES = st.lists(
    st.sampled_from(
        [OPENAI, ANTHROPIC, "@hypaware/otel", "@hypaware/s3", "@hypaware/local-fs", "@x/gone"]
    ),
    max_size=4,
)
SINKS: st.SearchStrategy[dict[str, BlobSink | RequestSink]] = st.dictionaries(
    st.sampled_from("stuv"),
    st.sampled_from(
        [
            RequestSink("@hypaware/central"),
            RequestSink("@hypaware/otel"),
            RequestSink("@hypaware/central", {"schedule": "never"}),
            BlobSink("@hypaware/format-jsonl", "@hypaware/s3"),
            BlobSink("@hypaware/s3", "@x/gone"),
        ]
    ),
)
PINS = st.dictionaries(
    st.sampled_from([COMPLETION, "hypaware.blob-store"]),
    st.sampled_from([OPENAI, ANTHROPIC, "@hypaware/s3", "@x/gone"]),
)


@st.composite
def documents(draw: st.DrawFn, layer: str) -> ConfigDocument:
    entries = (
        PluginEntry(name, enabled=draw(st.booleans()), version=layer) for name in draw(NAMES)
    )
    return ConfigDocument(plugins=tuple(entries), sinks=draw(SINKS), disambiguate=draw(PINS))


def signatures(document: ConfigDocument) -> set[tuple[str, str]]:
    return {(error.kind, error.pointer) for error in validate_document(document)}


@settings(max_examples=200, deadline=None)
@given(documents("c"), documents("l"))
def test_a_merge_of_anything_keeps_its_promises(
    central: ConfigDocument, local: ConfigDocument
) -> None:
    merged = merge_layers(central, local)
    effective = merged.effective

    # Central is there, whole, first and in order.
    assert effective.plugins[: len(central.plugins)] == central.plugins
    assert list(effective.sinks.items())[: len(central.sinks)] == list(central.sinks.items())
    assert central.disambiguate.items() <= effective.disambiguate.items()

    # The result is no worse than the central layer alone.
    assert signatures(effective) <= signatures(central)

    # Every local entry is in force or dropped, in order.
    added = [entry for entry in effective.plugins if entry.version == "l"]
    dropped = [entry.key for entry in merged.dropped if entry.section == "plugins"]
    assert sorted([entry.name for entry in added] + dropped) == sorted(names(local))
    remaining = iter(local.plugins)
    assert all(entry in remaining for entry in added)
    kept_sinks = [name for name in effective.sinks if name not in central.sinks]
    dropped_sinks = [entry.key for entry in merged.dropped if entry.section == "sinks"]
    assert sorted(kept_sinks + dropped_sinks) == sorted(local.sinks)

    # What was dropped as invalid has no place in the result either.
    locked = set(names(central))
    for entry in local.plugins:
        if entry.name not in locked and entry not in added:
            grown = replace(effective, plugins=(*effective.plugins, entry))
            assert not signatures(grown) <= signatures(effective)

    # Merging the result again changes nothing.
    assert merge_layers(central, effective).effective == effective
