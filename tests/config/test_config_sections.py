"""What the plugins of Claude and Codex accept in their own config (config-control §1.6)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.config import BUILT_IN_SECTIONS, SectionError

BOTH = pytest.mark.parametrize("plugin", ["@hypaware/claude", "@hypaware/codex"])


def objections(plugin: str, config: Any) -> list[tuple[str, str]]:
    return [(each.pointer, each.message) for each in BUILT_IN_SECTIONS[plugin](config)]


@BOTH
@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"backfill": {}},
        {"backfill": {"on_join": False, "window_days": 30}},
        {"backfill": {"window_days": 30.0}},
        {"attach": {"on_join": True}},
        {"proxy": {"anything": [1, None]}, "backfill": {"on_join": True}},
    ],
)
def test_good_sections_and_their_siblings_pass(plugin: str, config: Any) -> None:
    # config-control 6.
    assert objections(plugin, config) == []


@BOTH
@pytest.mark.parametrize("value", ["false", 0, 1, None, []])
@pytest.mark.parametrize("block", ["backfill", "attach"])
def test_on_join_is_a_boolean_and_nothing_like_one(plugin: str, block: str, value: Any) -> None:
    # config-control 6.
    found = objections(plugin, {block: {"on_join": value}})
    assert found == [(f"/{block}/on_join", "must be true or false")]


@BOTH
@pytest.mark.parametrize("value", [0, -3, 1.5, "30", True, False, None, [30], float("inf")])
def test_window_days_is_a_positive_integer(plugin: str, value: Any) -> None:
    # config-control 6.
    found = objections(plugin, {"backfill": {"window_days": value}})
    assert found == [("/backfill/window_days", "must be an integer, 1 or more")]


@BOTH
def test_an_unknown_key_of_a_block_is_named(plugin: str) -> None:
    # config-control 6.
    config = {"backfill": {"on_joim": True, "a/b": 1}, "attach": {"window_days": 3}}
    assert objections(plugin, config) == [
        ("/backfill/on_joim", "is not a known key of backfill"),
        ("/backfill/a~1b", "is not a known key of backfill"),
        ("/attach/window_days", "is not a known key of attach"),
    ]


@BOTH
@pytest.mark.parametrize("value", [None, [], "on", True])
def test_a_block_that_is_there_is_an_object(plugin: str, value: Any) -> None:
    assert objections(plugin, {"backfill": value}) == [("/backfill", "must be an object")]


@BOTH
def test_a_whole_config_that_is_no_object_is_one_objection(plugin: str) -> None:
    assert list(BUILT_IN_SECTIONS[plugin]([])) == [  # type: ignore[arg-type]
        SectionError("", "must be an object")
    ]


def test_only_claude_has_rules_for_telemetry() -> None:
    config = {"telemetry": {"listen_host": "", "listen_port": True, "spool_max_bytes": 0, "x": 1}}
    assert objections("@hypaware/claude", config) == [
        ("/telemetry/listen_host", "must be a non-empty string"),
        ("/telemetry/listen_port", "must be an integer from 0 to 65535"),
        ("/telemetry/spool_max_bytes", "must be an integer, 1 or more"),
        ("/telemetry/x", "is not a known key of telemetry"),
    ]
    assert objections("@hypaware/codex", config) == []


@pytest.mark.parametrize(
    ("port", "is_fine"), [(0, True), (65535, True), (-1, False), (65536, False)]
)
def test_a_port_has_16_bits(port: int, *, is_fine: bool) -> None:
    assert (objections("@hypaware/claude", {"telemetry": {"listen_port": port}}) == []) is is_fine


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["on_join", "window_days", "listen_port", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
CONFIGS = st.dictionaries(
    st.sampled_from(["backfill", "attach", "telemetry", "proxy"]), JSON, max_size=4
)


@BOTH
@settings(max_examples=150, deadline=None)
@given(config=CONFIGS)
def test_any_json_gets_an_answer_with_pointers_into_its_blocks(
    plugin: str, config: dict[str, Any]
) -> None:
    for pointer, message in objections(plugin, config):
        assert pointer.startswith(("/backfill", "/attach", "/telemetry"))
        assert message


@BOTH
@settings(max_examples=100, deadline=None)
@given(config=CONFIGS, on_join=st.booleans(), days=st.integers(1, 10**6))
def test_siblings_do_not_change_what_a_good_block_is(
    plugin: str,
    config: dict[str, Any],
    *,
    on_join: bool,
    days: int,
) -> None:
    good = {"on_join": on_join, "window_days": days}
    found = objections(plugin, {**config, "backfill": good})
    assert not [pointer for pointer, _ in found if pointer.startswith("/backfill")]
