"""Cross-plugin validation (config-control §1.5): every kind, all collected, in one order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.config import (
    BUILT_IN_SECTIONS,
    CATALOGUE,
    Capability,
    CataloguePlugin,
    DocumentError,
    SectionError,
    join_catalogue,
    parse_document,
    validate_document,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OTHERS = join_catalogue(
    [
        CataloguePlugin("@x/storeless-table", provides=(Capability("hypaware.table-format"),)),
        CataloguePlugin("@x/storeless-encoder", provides=(Capability("hypaware.encoder"),)),
        CataloguePlugin("@x/plain"),
    ]
)


def errors(document: Mapping[str, Any], **how: Any) -> list[tuple[str, str]]:
    parsed = parse_document(json.dumps({"version": 2, **document}).encode())
    return [
        (error.kind, error.pointer)
        for error in validate_document(parsed, **{"plugins": OTHERS, **how})
    ]


def sink_errors(sink: Mapping[str, Any]) -> list[tuple[str, str]]:
    return errors({"sinks": {"s": sink}})


def blob(writer: str, destination: str, **config: Any) -> dict[str, Any]:
    return {"writer": writer, "destination": destination, "config": config}


def test_every_plugin_of_the_catalogue_may_be_named() -> None:
    """Contract §2: what does not run here is valid all the same."""
    for name in CATALOGUE:
        assert errors({"plugins": [{"name": name}]}, plugins=CATALOGUE) == []


def test_a_required_capability_that_is_missing_is_no_error() -> None:
    """Contract §2."""
    assert errors({"plugins": [{"name": "@hypaware/claude"}]}) == []


def test_a_plugin_named_twice_is_found_at_the_second() -> None:
    names = ["@hypaware/otel", "@hypaware/claude", "@hypaware/otel", "@hypaware/otel"]
    assert errors({"plugins": [{"name": name} for name in names]}) == [
        ("duplicate_plugin", "/plugins/2"),
        ("duplicate_plugin", "/plugins/3"),
    ]


def test_an_unknown_plugin_is_an_error_also_when_disabled() -> None:
    plugins = [{"name": "@x/gone"}, {"name": "@x/gone-too", "enabled": False}]
    assert errors({"plugins": plugins}) == [
        ("plugin_unknown", "/plugins/0/name"),
        ("plugin_unknown", "/plugins/1/name"),
    ]


def test_the_plugin_of_another_package_is_known_and_ours_stays_ours() -> None:
    catalogue = join_catalogue(
        [CataloguePlugin("@x/new", "3.1.4"), CataloguePlugin("@hypaware/claude", "9.9.9")]
    )
    assert errors({"plugins": [{"name": "@x/new"}]}, plugins=catalogue) == []
    assert catalogue["@x/new"].version == "3.1.4"
    assert catalogue["@hypaware/claude"].version == "2.0.0"
    assert "@x/new" not in CATALOGUE


@pytest.mark.parametrize(
    "sink",
    [
        {"plugin": "@hypaware/central", "config": {"schedule": "*/1 * * * *"}},
        blob("@hypaware/format-jsonl", "@hypaware/local-fs"),
        blob("@hypaware/format-parquet", "@hypaware/s3", schedule="0 4 * * 7"),
        blob("@hypaware/format-iceberg", "@hypaware/s3", encoder="@hypaware/format-parquet"),
    ],
)
def test_a_sink_that_works_is_valid(sink: dict[str, Any]) -> None:
    # config-control 4: the central plugin is a request sink.
    assert sink_errors(sink) == []


@pytest.mark.parametrize(
    ("sink", "kind", "place"),
    [
        # config-control 3.
        (blob("@hypaware/otel", "@hypaware/s3"), "sink_writer_invalid", "writer"),
        (blob("@x/storeless-table", "@hypaware/s3"), "sink_writer_invalid", "writer"),
        (
            blob("@hypaware/format-iceberg", "@hypaware/otel"),
            "sink_destination_invalid",
            "destination",
        ),
        (
            blob("@hypaware/format-jsonl", "@hypaware/otel"),
            "sink_pair_incompatible",
            "destination",
        ),
        (blob("@x/storeless-encoder", "@hypaware/s3"), "sink_pair_incompatible", "writer"),
        (
            blob("@hypaware/format-iceberg", "@hypaware/s3", encoder="@x/gone"),
            "sink_plugin_unknown",
            "config/encoder",
        ),
        (
            blob("@hypaware/format-iceberg", "@hypaware/s3", encoder="@hypaware/s3"),
            "sink_encoder_invalid",
            "config/encoder",
        ),
        (
            blob("@hypaware/format-iceberg", "@hypaware/s3", encoder=7),
            "sink_encoder_invalid",
            "config/encoder",
        ),
        (blob("@x/gone", "@hypaware/s3"), "sink_plugin_unknown", "writer"),
        (blob("@hypaware/format-jsonl", "@x/gone"), "sink_plugin_unknown", "destination"),
        ({"plugin": "@x/gone"}, "sink_plugin_unknown", "plugin"),
        ({"plugin": "@hypaware/otel"}, "sink_pair_incompatible", "plugin"),
        # config-control 4.
        (blob("@hypaware/central", "@hypaware/s3"), "sink_writer_invalid", "writer"),
        # config-control 5.
        (
            {"plugin": "@hypaware/central", "config": {"schedule": "@hourly"}},
            "sink_schedule_invalid",
            "config/schedule",
        ),
        (
            blob("@hypaware/format-jsonl", "@hypaware/s3", schedule=None),
            "sink_schedule_invalid",
            "config/schedule",
        ),
    ],
)
def test_a_sink_that_cannot_work_is_named(sink: dict[str, Any], kind: str, place: str) -> None:
    assert sink_errors(sink) == [(kind, f"/sinks/s/{place}")]


def test_both_errors_of_a_pair_are_found() -> None:
    # config-control 3.
    assert sink_errors(blob("@x/storeless-table", "@x/plain")) == [
        ("sink_writer_invalid", "/sinks/s/writer"),
        ("sink_destination_invalid", "/sinks/s/destination"),
    ]
    assert sink_errors(blob("@x/gone", "@x/gone")) == [
        ("sink_plugin_unknown", "/sinks/s/writer"),
        ("sink_plugin_unknown", "/sinks/s/destination"),
    ]


def test_a_sink_of_both_shapes_is_stopped_by_the_shape_check() -> None:
    with pytest.raises(DocumentError):
        sink_errors({"plugin": "@hypaware/central", "writer": "@hypaware/format-jsonl"})


def test_the_name_of_a_sink_is_escaped_in_pointers() -> None:
    found = errors({"sinks": {"a/b~c": {"plugin": "@x/gone"}}})
    assert found == [("sink_plugin_unknown", "/sinks/a~1b~0c/plugin")]


def test_retention_names_datasets_that_exist_where_they_are_known() -> None:
    retention = {"default_days": 1, "datasets": {"ai_gateway_messages": 2, "logs": 3}}
    document = {"query": {"cache": {"retention": retention}}}
    at = "/query/cache/retention/datasets/logs"
    assert errors(document, datasets={"ai_gateway_messages"}) == [("dataset_unknown", at)]
    assert errors(document) == []


TIED = ["@hypaware/completion-anthropic", "@hypaware/completion-openai"]


@pytest.mark.parametrize(
    ("pin", "is_tied"),
    [
        (None, True),
        (TIED[0], False),
        (TIED[1], False),
        ("@hypaware/otel", True),
        ("@x/gone", True),
    ],
)
def test_a_tie_needs_a_pin_that_names_one_of_them(pin: str | None, *, is_tied: bool) -> None:
    document = {
        "plugins": [{"name": name} for name in [*TIED, "@hypaware/otel"]],
        "disambiguate": {"hypaware.completion": pin} if pin else {},
    }
    expected = [("capability_ambiguous", "/disambiguate/hypaware.completion")] if is_tied else []
    assert errors(document) == expected


def test_a_disabled_plugin_ties_with_nobody_and_cannot_be_pinned() -> None:
    plugins = [{"name": TIED[0]}, {"name": TIED[1], "enabled": False}]
    assert errors({"plugins": plugins}) == []

    third = join_catalogue(
        [CataloguePlugin("@x/third", provides=(Capability("hypaware.completion"),))]
    )
    plugins.append({"name": "@x/third"})
    document = {"plugins": plugins, "disambiguate": {"hypaware.completion": TIED[1]}}
    assert [kind for kind, _ in errors(document, plugins=third)] == ["capability_ambiguous"]


@pytest.mark.parametrize("plugin", ["@hypaware/claude", "@hypaware/codex"])
@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_malformed_backfill_block_is_found_where_it_is(plugin: str, *, is_enabled: bool) -> None:
    """config-control 25: the rules are there whether the plugin runs here or not."""
    entry = {"name": plugin, "enabled": is_enabled, "config": {"backfill": {"on_join": "false"}}}
    found = errors({"plugins": [{"name": "@hypaware/otel"}, entry]}, sections=BUILT_IN_SECTIONS)
    assert found == [("config_section_invalid", "/plugins/1/config/backfill/on_join")]


def test_a_merge_checks_no_sections() -> None:
    entry = {"name": "@hypaware/claude", "config": {"backfill": None}}
    assert errors({"plugins": [entry]}) == []


def test_an_objection_without_a_place_is_put_at_the_config() -> None:
    def object_to(_config: Mapping[str, Any]) -> Iterator[SectionError]:
        yield SectionError("", "no")
        yield SectionError("key", "no")

    found = errors({"plugins": [{"name": "@x/plain"}]}, sections={"@x/plain": object_to})
    assert found == [("config_section_invalid", "/plugins/0/config")] * 2


def test_a_validator_gets_an_empty_config_where_there_is_none() -> None:
    seen: list[Any] = []

    def note(config: Mapping[str, Any]) -> list[SectionError]:
        seen.append(config)
        return []

    entry = {"name": "@x/plain", "enabled": False}
    assert errors({"plugins": [entry]}, sections={"@x/plain": note}) == []
    assert seen == [{}]


def _raise(_config: Mapping[str, Any]) -> list[SectionError]:
    raise KeyError("oops")


def _misunderstand(_config: Mapping[str, Any]) -> Any:
    return ["a text"]


def _raise_late(_config: Mapping[str, Any]) -> Iterator[SectionError]:
    yield SectionError("/a", "no")
    raise OSError("gone")


@pytest.mark.parametrize("validator", [_raise, _misunderstand, _raise_late])
def test_a_broken_validator_is_told_of_and_checks_nothing(validator: Any) -> None:
    broken: list[tuple[str, Exception]] = []
    plugins = [
        {"name": "@x/plain"},
        {"name": "@hypaware/claude", "config": {"backfill": {"window_days": 0}}},
    ]
    found = errors(
        {"plugins": plugins},
        sections={**BUILT_IN_SECTIONS, "@x/plain": validator},
        on_broken_section=lambda plugin, error: broken.append((plugin, error)),
    )
    assert found == [("config_section_invalid", "/plugins/1/config/backfill/window_days")]
    assert [plugin for plugin, _ in broken] == ["@x/plain"]
    assert errors({"plugins": [{"name": "@x/plain"}]}, sections={"@x/plain": validator}) == []


def test_all_kinds_are_collected_in_one_order() -> None:
    document = {
        "disambiguate": {},
        "query": {"cache": {"retention": {"default_days": 1, "datasets": {"logs": 1}}}},
        "sinks": {"s": {"plugin": "@x/gone", "config": {"schedule": "never"}}},
        "plugins": [
            {"name": "@hypaware/claude", "config": {"backfill": []}},
            {"name": "@x/gone"},
            {"name": TIED[0]},
            {"name": TIED[1]},
            {"name": "@hypaware/claude"},
        ],
    }
    found = errors(document, datasets=(), sections=BUILT_IN_SECTIONS)
    assert [kind for kind, _ in found] == [
        "duplicate_plugin",
        "plugin_unknown",
        "sink_plugin_unknown",
        "sink_schedule_invalid",
        "dataset_unknown",
        "capability_ambiguous",
        "config_section_invalid",
    ]


def test_an_error_reads_as_one_line() -> None:
    document = parse_document(b'{"version": 2, "plugins": [{"name": "@x/gone"}]}')
    (error,) = validate_document(document)
    assert str(error) == (
        "/plugins/0/name: no plugin @x/gone is known; "
        "correct the name, or install the package that brings it"
    )


NAMES = st.sampled_from([*CATALOGUE, "@x/gone"])
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | NAMES
OWN_CONFIG = st.dictionaries(st.sampled_from(["schedule", "encoder", "backfill"]), VALUES)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "plugins": st.lists(
            st.fixed_dictionaries(
                {"name": NAMES}, optional={"enabled": st.booleans(), "config": OWN_CONFIG}
            ),
            max_size=6,
        ),
        "sinks": st.dictionaries(
            st.text(min_size=1, max_size=3),
            st.fixed_dictionaries({"plugin": NAMES}, optional={"config": OWN_CONFIG})
            | st.fixed_dictionaries(
                {"writer": NAMES, "destination": NAMES}, optional={"config": OWN_CONFIG}
            ),
            max_size=3,
        ),
        "disambiguate": st.dictionaries(st.sampled_from(["hypaware.completion", "x"]), NAMES),
    },
)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_every_error_of_any_document_points_into_it(document: dict[str, Any]) -> None:
    for kind, pointer in errors(document, sections=BUILT_IN_SECTIONS):
        section = pointer.split("/")[1]
        assert section in document or kind == "capability_ambiguous"
