from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hypactors.config import CentralSource, ConfigDocument, PluginEntry, resolve_layers
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CENTRAL = {"version": 2, "plugins": [{"name": "@hypaware/claude"}]}
LOCAL = {"version": 2, "plugins": [{"name": "@hypaware/otel"}]}


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def names(document: ConfigDocument | None) -> list[str]:
    assert document is not None
    return [entry.name for entry in document.plugins]


def test_a_fresh_home_has_no_config_and_no_problem(tmp_path: Path) -> None:
    layers = resolve_layers(HypHome(tmp_path / "nowhere"), {})
    assert not layers.is_joined
    assert layers.effective is None
    assert layers.problems == ()
    assert layers.is_usable
    assert layers.provenance("@hypaware/claude") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("state", "source", "plugin_count"),
    [
        ("1-seed-only", CentralSource.SEED, 1),
        ("2-probation", CentralSource.SLOT_B, 4),
        ("3-confirmed-backfill-pending", CentralSource.SLOT_B, 4),
        ("7-probation-unreachable", CentralSource.SLOT_A, 4),
        ("8-after-probation", CentralSource.SLOT_B, 4),
    ],
)
def test_golden_states_resolve(
    golden_home: Callable[[str], HypHome], state: str, source: CentralSource, plugin_count: int
) -> None:
    layers = resolve_layers(golden_home(state), {})
    assert layers.is_joined
    assert layers.central_source is source
    assert layers.effective is not None
    assert len(layers.effective.plugins) == plugin_count
    assert layers.problems == ()
    assert layers.provenance("@hypaware/central") == "central"
    assert layers.sink_provenance("central") == "central"


def test_solo_effective_is_the_local_document(home: HypHome) -> None:
    """config-control 7."""
    write(home.default_local_config, LOCAL)
    layers = resolve_layers(home, {})
    assert layers.effective is layers.local
    assert names(layers.effective) == ["@hypaware/otel"]
    assert layers.provenance("@hypaware/otel") is None


def test_local_layer_adds_to_the_seed(home: HypHome) -> None:
    write(home.seed_file, CENTRAL)
    write(home.default_local_config, LOCAL)
    layers = resolve_layers(home, {})
    assert names(layers.effective) == ["@hypaware/claude", "@hypaware/otel"]
    assert layers.provenance("@hypaware/claude") == "central"
    assert layers.provenance("@hypaware/otel") == "local"


def test_the_active_slot_wins_over_the_seed(home: HypHome) -> None:
    write(home.seed_file, LOCAL)
    write(home.slot_file("a"), CENTRAL)
    home.active_link.symlink_to("config.a.json")
    layers = resolve_layers(home, {})
    assert layers.central_source is CentralSource.SLOT_A
    assert layers.central == ConfigDocument(plugins=(PluginEntry("@hypaware/claude"),))


def test_hyp_config_names_the_local_layer(home: HypHome, tmp_path: Path) -> None:
    write(home.default_local_config, "not JSON")
    write(tmp_path / "other.json", LOCAL)
    layers = resolve_layers(home, {"HYP_CONFIG": str(tmp_path / "other.json")})
    assert names(layers.effective) == ["@hypaware/otel"]
    assert layers.problems == ()


def test_a_broken_local_layer_leaves_a_solo_machine_without_config(home: HypHome) -> None:
    write(home.default_local_config, '{"version": 2, "plugins": [{"name": ""}], "x": 1}')
    layers = resolve_layers(home, {})
    assert layers.effective is None
    assert not layers.is_usable
    (problem,) = layers.problems
    assert (problem.layer, problem.severity) == ("local", "error")
    assert (problem.kind, problem.pointer) == ("config_invalid_shape", "/plugins/0/name")
    assert problem.message == (
        f"local config {home.default_local_config}: /plugins/0/name: must be a non-empty string"
        " (and 1 more)"
    )


def test_the_central_layer_carries_on_without_a_broken_local_one(home: HypHome) -> None:
    write(home.seed_file, CENTRAL)
    write(home.default_local_config, "{")
    layers = resolve_layers(home, {})
    assert names(layers.effective) == ["@hypaware/claude"]
    assert layers.is_usable
    (problem,) = layers.problems
    assert (problem.layer, problem.severity) == ("local", "warning")
    assert problem.kind == "config_invalid_json"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("{", "config_invalid_json"),
        ('{"version": 1}', "config_invalid_shape"),
        (None, "config_missing"),
    ],
)
def test_the_local_layer_never_runs_alone_on_a_joined_machine(
    home: HypHome, content: str | None, kind: str
) -> None:
    """A central layer that is there but cannot be loaded is not "no central layer"."""
    if content is not None:
        write(home.slot_file("b"), content)
    home.active_link.symlink_to("config.b.json")
    write(home.default_local_config, LOCAL)

    layers = resolve_layers(home, {})

    assert layers.is_joined
    assert layers.effective is None
    assert not layers.is_usable
    assert names(layers.local) == ["@hypaware/otel"]
    assert layers.central_path == home.slot_file("b")
    assert [(p.layer, p.severity, p.kind) for p in layers.problems] == [("central", "error", kind)]


@pytest.mark.parametrize("residue", ["active", "config.a.json", "config.b.json"])
def test_what_a_join_left_behind_is_evidence_of_it(home: HypHome, residue: str) -> None:
    """config-control §7.3."""
    (home.control_dir / residue).write_text(json.dumps(CENTRAL))
    write(home.default_local_config, LOCAL)
    layers = resolve_layers(home, {})
    assert layers.is_joined
    assert layers.effective is None
    assert [problem.kind for problem in layers.problems] == ["config_unreadable"]


def test_markers_and_state_alone_are_no_evidence(home: HypHome) -> None:
    write(home.marker_file, {})
    write(home.state_file, {})
    assert not resolve_layers(home, {}).is_joined


def test_a_folder_in_place_of_a_layer_is_a_problem(home: HypHome) -> None:
    home.seed_file.mkdir()
    home.default_local_config.mkdir()
    layers = resolve_layers(home, {})
    assert [problem.kind for problem in layers.problems] == ["config_unreadable"] * 2
    assert all("cannot be read (Is a directory)" in p.message for p in layers.problems)


def test_a_control_folder_that_cannot_be_looked_into_is_evidence_of_a_join(home: HypHome) -> None:
    """config-control §7.3; a link to itself stands for a folder without permission."""
    home.control_dir.rmdir()
    home.control_dir.symlink_to(home.control_dir)
    layers = resolve_layers(home, {})
    assert layers.is_joined
    assert layers.effective is None
    assert [problem.kind for problem in layers.problems] == ["config_unreadable"]


def test_problem_text_is_one_printable_line(home: HypHome) -> None:
    write(home.default_local_config, {"version": 2, "evil\n\x1b[31m\u202ekey": 1})
    (problem,) = resolve_layers(home, {}).problems
    assert problem.message.isprintable()
    assert "späce" in problem.message


def test_a_plugin_named_twice_does_not_break_the_merge(home: HypHome) -> None:
    write(home.seed_file, {"version": 2, "plugins": [{"name": "x"}, {"name": "x"}]})
    write(home.default_local_config, {"version": 2, "plugins": [{"name": "x"}, {"name": "y"}]})
    layers = resolve_layers(home, {}, contributed=["y"])
    assert names(layers.effective) == ["x", "x", "y"]


def confirmed(home: HypHome, slot: str, **state: object) -> None:
    """Lay out a machine whose active slot is broken; the other one holds ``CENTRAL``."""
    other = "a" if slot == "b" else "b"
    write(home.slot_file(slot), "{")
    write(home.slot_etag_file(slot), "new\n")
    write(home.slot_file(other), CENTRAL)
    write(home.slot_etag_file(other), "old\n")
    home.active_link.symlink_to(f"config.{slot}.json")
    write(home.state_file, state)


@pytest.mark.parametrize(("slot", "source"), [("b", "slot_a"), ("a", "slot_b")])
@pytest.mark.parametrize("is_missing", [True, False])
def test_the_config_before_it_serves_when_the_active_one_cannot_be_loaded(
    home: HypHome, slot: str, source: str, *, is_missing: bool
) -> None:
    confirmed(home, slot)
    if is_missing:
        home.slot_file(slot).unlink()
    write(home.default_local_config, LOCAL)

    layers = resolve_layers(home, {})

    assert names(layers.effective) == ["@hypaware/claude", "@hypaware/otel"]
    assert layers.central_source == source
    assert layers.central_path is not None
    assert layers.provenance("@hypaware/claude") == "central"
    assert not layers.is_usable
    (problem,) = layers.problems
    assert (problem.layer, problem.severity, problem.path) == (
        "central",
        "error",
        home.slot_file(slot),
    )
    said = f"{layers.central_path}, the config before it, is in force instead"
    assert problem.message.endswith(said)


def test_the_seed_in_a_slot_serves_too(golden_home: Callable[[str], HypHome]) -> None:
    home = golden_home("3-confirmed-backfill-pending")
    home.slot_file("b").write_bytes(b"\0")
    layers = resolve_layers(home, {})
    assert layers.central_source is CentralSource.SLOT_A
    assert names(layers.effective) == ["@hypaware/central"]


def trial(slot: str, previous: str | None) -> dict[str, object]:
    return {"probation": {"etag": "new", "slot": slot, "previous_slot": previous}}


@pytest.mark.parametrize(
    ("state", "serves"),
    [
        (trial("b", "a"), True),
        (trial("b", None), False),
        (trial("b", "b"), False),
        (trial("a", "b"), False),
        (trial("a", "a"), False),
        ({"bad_etag": {"etag": "old", "reason": "probation_expired"}}, False),
        ({"bad_etag": {"etag": "other"}}, True),
        ({"last_rollback": {"etag": "old", "reason": "probation_expired"}}, False),
        ({"bad_etags": [{"etag": "old", "reason": "probation_expired"}, {"etag": "x"}]}, False),
    ],
)
def test_only_a_slot_that_was_good_serves(
    home: HypHome, state: dict[str, object], *, serves: bool
) -> None:
    confirmed(home, "b", **state)
    write(home.default_local_config, LOCAL)
    layers = resolve_layers(home, {})
    assert (layers.effective is not None) is serves
    assert layers.is_joined
    assert layers.central_path == home.slot_file("a" if serves else "b")
    assert len(layers.problems) == 1


def test_bookkeeping_that_cannot_be_read_vouches_for_no_slot(home: HypHome) -> None:
    confirmed(home, "b")
    write(home.state_file, "{")
    assert resolve_layers(home, {}).effective is None


def test_a_slot_that_cannot_be_loaded_either_serves_nobody(home: HypHome) -> None:
    confirmed(home, "b")
    write(home.slot_file("a"), '{"version": 1}')
    layers = resolve_layers(home, {})
    assert layers.effective is None
    assert layers.central_source is CentralSource.SLOT_B
    (problem,) = layers.problems
    assert "instead" not in problem.message


def test_a_broken_local_layer_beside_a_stand_in_is_a_warning(home: HypHome) -> None:
    confirmed(home, "b")
    write(home.default_local_config, "{")
    layers = resolve_layers(home, {})
    assert names(layers.effective) == ["@hypaware/claude"]
    assert [(p.layer, p.severity) for p in layers.problems] == [
        ("central", "error"),
        ("local", "warning"),
    ]


def test_a_local_plugin_of_another_package_counts_where_it_is_installed(home: HypHome) -> None:
    write(home.seed_file, CENTRAL)
    write(home.default_local_config, {"version": 2, "plugins": [{"name": "@x/new"}]})
    assert names(resolve_layers(home, {}, contributed=["@x/new"]).effective) == [
        "@hypaware/claude",
        "@x/new",
    ]
    layers = resolve_layers(home, {})
    assert names(layers.effective) == ["@hypaware/claude"]
    assert [(drop.key, drop.detail) for drop in layers.dropped] == [("@x/new", "plugin_unknown")]
