from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.actions import ProviderRef
from hypactors.paths import HypHome
from hypactors.status import LiveActor, LiveDaemon, LiveState, collect_report, render_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.status.conftest import Machine

CLAUDE = ProviderRef("claude", "@hypaware/claude")
CODEX = ProviderRef("codex", "@hypaware/codex")
GOLDEN_STATES = [
    "1-seed-only",
    "2-probation",
    "3-confirmed-backfill-pending",
    "4-backfill-done",
    "5-backfill-failed",
    "6-refused-config",
    "7-probation-unreachable",
    "8-after-probation",
]
OURS = [
    *("actors", "link", "forwarding", "source", "as_of"),
    *("convergence", "attention", "unsupported"),
]


def kinds(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["severity"], row["kind"]) for row in report["diagnostics"]]


@pytest.mark.parametrize("name", GOLDEN_STATES)
def test_golden_states_give_the_report_of_the_other_client(machine: Machine, name: str) -> None:
    # status 1, 16 to 20, 22 on real states.
    golden = machine.take_golden(name)
    report = machine.report(CLAUDE, CODEX)
    if name == "2-probation":
        # This report was made a moment after the folder was copied: the trial was over by then.
        assert report["remote_config"].pop("probation")["etag"] == "2dd5ff2f91f47a94"
        del golden["remote_config"]["probation"]

    assert list(report) == [*golden, *OURS]
    for key in ("active_plugins", "sinks", "clients", "config_layers", "remote_config"):
        assert report[key] == golden[key], key
    assert (report["config"]["exists"], report["config"]["valid"]) == (True, True)

    # Attach rows without a marker belong to a part that does not exist here (contract §1).
    def listed(rows: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
        is_here = [
            row for row in rows or [] if (row["kind"], row["state"]) != ("attach", "pending")
        ]
        return sorted(is_here, key=lambda row: (row["kind"], row["request_key"]))

    assert listed(report["client_actions"]) == listed(golden["client_actions"])
    ours = [row["kind"] for row in report["diagnostics"]]
    theirs = [row["kind"] for row in golden["diagnostics"] if "gateway" not in row["kind"]]
    assert ours == theirs
    assert report["overall"] == "healthy"


def test_a_report_leaves_no_trace(
    machine: Machine, files_below: Callable[[Path], dict[str, bytes | None]]
) -> None:
    machine.take_golden("5-backfill-failed")
    before = files_below(machine.home.root)
    machine.report()
    assert files_below(machine.home.root) == before


def test_a_report_makes_no_home(tmp_path: Path) -> None:
    report = collect_report(HypHome(tmp_path / "no" / "home"), {}, providers=(), live=None)
    assert report["overall"] == "degraded"
    assert list(tmp_path.iterdir()) == []


def test_a_solo_machine_shows_nothing_of_the_fleet(machine: Machine) -> None:
    # status 16.
    machine.configure({"name": "@hypaware/claude"}, sinks={"x": {"plugin": "@example/sink"}})
    report = machine.report()
    assert report["config_layers"] is None
    assert report["remote_config"] == {
        "running_etag": None,
        "probation": None,
        "last_rollback": None,
        "bad_etag": None,
    }
    assert report["active_plugins"] == [{"name": "@hypaware/claude"}]
    assert report["sinks"] == [{"instance": "x", "plugin": "@example/sink", "kind": "request"}]
    text = render_text(report)
    for absent in ("[central", "[local]", "not applied", "remote config", "diagnostics"):
        assert absent not in text


def test_a_colliding_local_entry_is_a_drop_and_no_diagnostic(machine: Machine) -> None:
    # status 17, 20.
    machine.join({"name": "@hypaware/claude"}, sinks={"c": {"plugin": "@hypaware/central"}})
    machine.configure(
        {"name": "@hypaware/claude"},
        {"name": "@hypaware/otel"},
        sinks={"l": {"writer": "@hypaware/format-jsonl", "destination": "@hypaware/local-fs"}},
    )
    report = machine.report()
    assert report["config_layers"] == {
        "central": True,
        "central_plugins": ["@hypaware/claude"],
        "central_sinks": ["c"],
        "central_query_ignored": False,
        "local_not_applied": [
            {
                "section": "plugins",
                "key": "@hypaware/claude",
                "reason": "collides_with_central",
            }
        ],
    }
    assert report["diagnostics"] == []
    assert report["overall"] == "healthy"
    assert report["active_plugins"] == [
        {"name": "@hypaware/claude", "provenance": "central"},
        {"name": "@hypaware/otel", "provenance": "local"},
    ]
    assert report["sinks"] == [
        {
            "instance": "c",
            "plugin": "@hypaware/central",
            "kind": "request",
            "provenance": "central",
        },
        {
            "instance": "l",
            "plugin": "@hypaware/format-jsonl",
            "kind": "blob",
            "provenance": "local",
        },
    ]
    text = render_text(report)
    assert "- plugins.@hypaware/claude  (collides with central)" in text
    assert "- @hypaware/claude  [central · locked]\n" in text
    assert "- @hypaware/otel  [local]  [not supported by this version]\n" in text


def test_a_local_plugin_that_ties_with_a_central_one_is_a_drop_and_no_diagnostic(
    machine: Machine,
) -> None:
    # status 19.
    machine.join({"name": "@hypaware/completion-openai"})
    machine.configure({"name": "@hypaware/completion-anthropic"}, {"name": "@hypaware/otel"})
    report = machine.report()
    assert report["config_layers"]["local_not_applied"] == [
        {
            "section": "plugins",
            "key": "@hypaware/completion-anthropic",
            "reason": "invalid_merge",
            "detail": "capability_ambiguous",
        }
    ]
    assert report["diagnostics"] == []
    assert report["overall"] == "healthy"
    assert [row["name"] for row in report["active_plugins"]] == [
        "@hypaware/completion-openai",
        "@hypaware/otel",
    ]
    text = render_text(report)
    assert "- plugins.@hypaware/completion-anthropic  (invalid merge: capability_ambiguous)" in text


def test_a_local_plugin_that_an_installed_provider_brings_is_in_force(machine: Machine) -> None:
    machine.join({"name": "@hypaware/claude"})
    machine.configure({"name": "@x/aider"})
    report = machine.report(CLAUDE, ProviderRef("aider", "@x/aider"))
    assert report["config_layers"]["local_not_applied"] == []
    assert {"name": "@x/aider", "provenance": "local"} in report["active_plugins"]


def test_a_config_that_stands_in_for_a_broken_one_is_degraded(machine: Machine) -> None:
    machine.take_golden("4-backfill-done")
    machine.home.slot_file("b").write_text("")
    report = machine.report()
    assert report["overall"] == "degraded"
    assert [row["name"] for row in report["active_plugins"]] == ["@hypaware/central"]
    (diagnostic,) = report["diagnostics"]
    assert (diagnostic["severity"], diagnostic["kind"]) == ("error", "config_invalid")
    assert diagnostic["message"].endswith("is in force instead")


def test_a_central_query_block_is_ignored_and_said_so(machine: Machine) -> None:
    # status 18.
    machine.join(query={})
    report = machine.report()
    assert report["config_layers"]["central_query_ignored"] is True
    assert render_text(report).count("central query block") == 1


def test_no_config_anywhere_is_degraded(machine: Machine) -> None:
    # status 21.
    report = machine.report()
    assert report["overall"] == "degraded"
    assert kinds(report) == [("error", "config_missing")]
    assert report["config"] == {
        "path": str(machine.home.default_local_config),
        "exists": False,
        "valid": False,
    }
    assert "(missing)" in render_text(report)


def test_a_broken_local_layer_is_a_warning_while_central_carries_on(machine: Machine) -> None:
    # status 21.
    machine.join({"name": "@hypaware/claude"})
    machine.home.default_local_config.write_text("{")
    report = machine.report()
    assert report["overall"] == "healthy"
    assert kinds(report) == [("warning", "config_local_unreadable")]
    assert report["config"]["valid"] is False


@pytest.mark.parametrize(
    ("content", "kind", "pointer"),
    [
        ("{", "config_invalid", None),
        ('{"version": 3}', "config_invalid", "/version"),
        (None, "config_unreadable", None),
    ],
)
@pytest.mark.parametrize("layer", ["central", "local"])
def test_a_config_that_cannot_be_used_is_named(
    machine: Machine, layer: str, content: str | None, kind: str, pointer: str | None
) -> None:
    home = machine.home
    path = home.seed_file if layer == "central" else home.default_local_config
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    report = machine.report()
    assert report["overall"] == "degraded"
    assert kinds(report) == [("error", kind)]
    (diagnostic,) = report["diagnostics"]
    assert diagnostic.get("pointer") == pointer
    assert f"{layer} config {path}: {pointer or ''}" in diagnostic["message"]


def test_a_recorded_rollback_is_a_warning(machine: Machine) -> None:
    # status 22.
    machine.take_golden("8-after-probation")
    report = machine.report(CLAUDE, CODEX)
    assert report["overall"] == "healthy"
    assert report["diagnostics"][0]["message"] == (
        "remote config 042cf10c79038c61 rolled back at 2026-11-23T11:43:34.241Z (probation_expired)"
    )
    text = render_text(report)
    assert "last rollback: 042cf10c79038c61 at 2026-11-23T11:43:34.241Z (probation_expired)" in text
    assert "[WARN ] remote_config_rolled_back: " in text


def test_a_corrupt_state_file_is_a_warning(machine: Machine) -> None:
    machine.join()
    machine.home.state_file.write_text("{")
    report = machine.report()
    assert report["overall"] == "healthy"
    assert kinds(report) == [("warning", "config_state_unreadable")]
    assert report["remote_config"]["probation"] is None


def test_a_clean_install_without_a_daemon_is_healthy(machine: Machine) -> None:
    # status 23, 30: and says nothing of holds.
    machine.configure({"name": "@hypaware/claude"})
    report = machine.report()
    assert report["overall"] == "healthy"
    assert report["actors"] is None
    assert report["source"] == "files"
    assert report["first_sync_hold"] is None
    text = render_text(report)
    assert "  daemon:   not running (read from files)\n" in text
    assert "hold" not in text


def test_a_live_daemon_is_shown_with_its_actors(machine: Machine) -> None:
    machine.configure({"name": "@hypaware/claude"})
    daemon = LiveDaemon(
        4711,
        "r1",
        "actors",
        "degraded",
        "2026-06-25T08:00:00.000Z",
        ["a layer is broken"],
        export_trouble="nobody listens",
    )
    actors = [LiveActor("supervisor", "running", 0), LiveActor("reconciler", "restarting", 1)]
    report = machine.report(live=LiveState(daemon, actors))
    assert report["source"] == "daemon"
    assert report["overall"] == "healthy"
    assert report["daemon"] == {
        "installed": False,
        "loaded": False,
        "running": True,
        "state": "degraded",
        "pid": 4711,
        "mode": "actors",
        "run_id": "r1",
        "platform": sys.platform,
        "started_at": "2026-06-25T08:00:00.000Z",
        "warnings": ["a layer is broken"],
        "export_trouble": "nobody listens",
    }
    assert [row["kind"] for row in report["attention"]] == ["export_trouble"]
    assert report["actors"][1] == {"name": "reconciler", "state": "restarting", "restarts": 1}
    text = render_text(report)
    assert (
        "  daemon:   running, state=degraded, pid=4711, mode=actors\n    - a layer is broken\n"
        in text
    )
    assert (
        "  actors:\n    - supervisor  [running]  0 restarts\n"
        "    - reconciler  [restarting]  1 restart\n" in text
    )


def test_the_cache_is_measured_without_being_opened(machine: Machine) -> None:
    machine.configure(query={"cache": {"retention": {"default_days": 30}}})
    data = machine.home.lake_dir / "warehouse" / "hyp" / "ai_gateway_messages" / "data"
    for month in ("2026-05", "2026-06"):
        folder = data / f"message_month={month}" / "client_name=claude"
        folder.mkdir(parents=True)
        (folder / "one.parquet").write_bytes(b"x" * 10)
    (data / "message_month=2020-01").mkdir()
    report = machine.report()
    assert report["cache"] == {
        "dir": str(machine.home.lake_dir),
        "catalog": None,
        "retention_days": 30,
        "retention_source": "config",
        "size_bytes": 20,
        "oldest_partition_date": "2026-05-01",
    }
    text = render_text(report)
    assert "cache retention: 30 days (config)" in text
    assert "cache size:      20 bytes" in text


def test_there_is_no_cache_before_the_first_import(machine: Machine) -> None:
    machine.configure()
    report = machine.report()
    assert report["cache"]["size_bytes"] == 0
    assert report["cache"]["oldest_partition_date"] is None
    assert "cache retention: 90 days (default)" in render_text(report)


def test_rendering_loads_nothing_but_the_standard_library() -> None:
    """``hyp status`` with a live daemon pays for json and a socket, not for the rest."""
    heavy = ["msgspec", "psutil", "structlog", "dataclasses", "pykka", "argparse", "pyarrow"]
    script = (
        "import json, sys; import hypactors.cli.status;"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=60
    )
    assert json.loads(result.stdout) == []


def test_local_only_folders_are_counted_and_a_list_that_cannot_be_read_is_an_error(
    machine: Machine,
) -> None:
    """status 31."""
    machine.configure()
    report = machine.report()
    assert report["usage_policy"] == {"local_only_dir_count": 0, "folder_ask": None}
    assert "local-only" not in render_text(report)

    machine.home.usage_policy_dir.mkdir(parents=True)
    machine.home.local_only_file.write_text('{"version": 1, "dirs": ["/a", "/b"]}')
    report = machine.report()
    assert report["usage_policy"] == {"local_only_dir_count": 2, "folder_ask": None}
    assert "local-only:      2 folders, of which nothing is sent" in render_text(report)

    machine.home.local_only_file.write_text("{")
    report = machine.report()
    assert report["usage_policy"] is None
    assert ("error", "local_only_list_unreadable") in kinds(report)
    assert report["overall"] == "degraded"
