from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.actions import ProviderRef
from hypactors.processes import PidRecord, ProviderRuns, boot_id, identify
from hypactors.status import LiveDaemon, LiveImport, LiveState, render_text

if TYPE_CHECKING:
    from tests.status.conftest import Machine

CLAUDE = ProviderRef("claude", "@hypaware/claude")
CODEX = ProviderRef("codex", "@hypaware/codex")
DONE = {"status": "done", "request_key": "x", "at": "2026-06-25T09:00:00.000Z", "rows": 1234}
FAILED = {
    "status": "failed",
    "request_key": "y",
    "reason": "hyp backfill exited with code 1",
    "last_attempt": "2026-06-25T09:01:00.000Z",
    "attempts": 2,
}
REFUSED = {
    "status": "refused",
    "request_key": "openclaw",
    "reason": "entry is not ours",
    "at": "2026-06-25T09:02:00.000Z",
}
DAEMON = LiveDaemon(4711, "r1", "actors", "healthy", "2026-06-25T08:00:00.000Z")


def plugin(name: str, **config: Any) -> dict[str, Any]:
    return {"name": f"@hypaware/{name}", **({"config": config} if config else {})}


def states(report: dict[str, Any]) -> dict[str, str]:
    return {row["request_key"]: row["state"] for row in report["client_actions"] or ()}


def test_markers_and_targets_become_rows(machine: Machine) -> None:
    # status 1, as far as there are no attach rows without a marker here (contract §1).
    machine.join(
        plugin("claude", backfill={"on_join": True, "window_days": 30}),
        plugin("codex", backfill={"on_join": False}),
    )
    machine.mark({"backfill": {"@example/one": DONE, "@example/two": FAILED}})
    assert states(machine.report(CLAUDE, CODEX)) == {
        "@example/one": "done",
        "@example/two": "failed",
        "@hypaware/claude": "pending",
        "@hypaware/codex": "n/a",
    }


@pytest.mark.parametrize("on_join", ["false", 1, None, False])
def test_a_malformed_opt_out_is_an_opt_out(machine: Machine, on_join: object) -> None:
    # status 2.
    machine.join(plugin("claude", backfill={"on_join": on_join}))
    assert states(machine.report()) == {"@hypaware/claude": "n/a"}


def test_joining_makes_a_plugin_without_a_block_a_target(machine: Machine) -> None:
    # status 3; the gateway plugin, which imports nothing, is not listed.
    machine.join(plugin("ai-gateway"), plugin("claude"))
    assert states(machine.report()) == {"@hypaware/claude": "pending"}


def test_a_disabled_plugin_is_no_target(machine: Machine) -> None:
    machine.join({**plugin("claude", backfill={}), "enabled": False})
    assert machine.report()["client_actions"] is None


def test_a_solo_machine_lists_only_explicit_blocks(machine: Machine) -> None:
    # status 4.
    machine.configure(plugin("claude"))
    assert machine.report()["client_actions"] is None

    machine.configure(plugin("claude", backfill={"on_join": True}))
    assert states(machine.report()) == {"@hypaware/claude": "n/a"}


def test_a_target_that_nothing_here_runs_is_never_pending(machine: Machine) -> None:
    machine.join(plugin("claude"), plugin("codex", backfill={}), plugin("hermes", backfill={}))
    report = machine.report(CLAUDE)
    assert states(report) == {
        "@hypaware/claude": "pending",
        "@hypaware/codex": "n/a",
        "@hypaware/hermes": "n/a",
    }
    assert report["client_actions"][1]["reason"] == "not supported by this version"
    assert report["unsupported"] == ["@hypaware/codex", "@hypaware/hermes"]


def test_a_failed_marker_says_nothing_about_health(machine: Machine) -> None:
    # status 5.
    machine.configure(plugin("claude"))
    machine.mark({"backfill": {"@hypaware/claude": FAILED}})
    report = machine.report()
    assert report["overall"] == "healthy"
    assert report["diagnostics"] == []
    assert states(report) == {"@hypaware/claude": "failed"}


def test_rows_hold_exactly_their_fields(machine: Machine) -> None:
    # status 6, 8.
    machine.configure()
    machine.mark(
        {
            "backfill": {
                "@example/one": {**DONE, "attempts": 3, "reason": "old", "run_id": "r"},
                "@example/two": {**FAILED, "rows": 5, "at": "then", "detail": {}},
            },
            "attach": {
                "claude": {"status": "applied", "at": "then", "endpoint": "http://x"},
                "openclaw": {**REFUSED, "attempts": 1, "rows": 1, "last_attempt": "then"},
            },
        }
    )
    report = machine.report()
    assert report["overall"] == "healthy"
    assert report["client_actions"] == [
        {"kind": "attach", "request_key": "claude", "state": "done", "at": "then"},
        {
            "kind": "attach",
            "request_key": "openclaw",
            "state": "refused",
            "reason": REFUSED["reason"],
            "at": REFUSED["at"],
        },
        {
            "kind": "backfill",
            "request_key": "@example/one",
            "state": "done",
            "rows": 1234,
            "at": DONE["at"],
        },
        {
            "kind": "backfill",
            "request_key": "@example/two",
            "state": "failed",
            "reason": FAILED["reason"],
            "last_attempt": FAILED["last_attempt"],
            "attempts": 2,
        },
    ]


def test_fields_of_the_wrong_type_are_left_out(machine: Machine) -> None:
    machine.configure()
    machine.mark(
        {
            "backfill": {
                "a": {"status": "done", "rows": True, "at": 5},
                "big": {"status": "done", "rows": 10**400},
                "b": {"status": "failed", "reason": [], "last_attempt": 1, "attempts": "2"},
                "c": {"status": 7},
            }
        }
    )
    assert machine.report()["client_actions"] == [
        {"kind": "backfill", "request_key": "a", "state": "done"},
        {"kind": "backfill", "request_key": "b", "state": "failed"},
        {"kind": "backfill", "request_key": "big", "state": "done", "rows": 10**400},
        {"kind": "backfill", "request_key": "c", "state": "done"},
    ]


def test_nothing_to_list_is_null_and_silent(machine: Machine) -> None:
    # status 7.
    machine.configure()
    report = machine.report()
    assert report["client_actions"] is None
    assert "client actions:" not in render_text(report)


def test_a_marker_of_a_declared_client_is_one_row(machine: Machine) -> None:
    # status 11, 13: attach markers of the other client are shown as they are.
    machine.join(plugin("claude", backfill={"on_join": True}, attach={"on_join": True}))
    machine.mark({"attach": {"claude": DONE}, "backfill": {"@hypaware/claude": DONE}})
    rows = machine.report()["client_actions"]
    assert [(row["kind"], row["request_key"], row["state"]) for row in rows] == [
        ("attach", "claude", "done"),
        ("backfill", "@hypaware/claude", "done"),
    ]


@pytest.mark.parametrize("content", ["{", "[]", '{"backfill": "x"}', ""])
def test_a_corrupt_marker_file_reads_as_empty(machine: Machine, content: str) -> None:
    # status 15.
    machine.join(plugin("claude"))
    machine.mark(content)
    report = machine.report()
    assert states(report) == {"@hypaware/claude": "pending"}
    assert report["overall"] == "healthy"
    (diagnostic,) = report["diagnostics"]
    assert diagnostic["kind"] == "client_actions_unreadable"
    assert diagnostic["message"].startswith(f"{machine.home.marker_file}: ")


def test_probation_does_not_change_what_is_pending(machine: Machine) -> None:
    machine.take_golden("2-probation")
    assert states(machine.report(CLAUDE, CODEX)) == {
        "@hypaware/claude": "pending",
        "@hypaware/codex": "pending",
    }


def test_an_unloadable_central_layer_does_not_turn_pending_into_no(machine: Machine) -> None:
    machine.home.seed_file.write_text("{")
    machine.configure(plugin("claude", backfill={}))
    assert states(machine.report()) == {"@hypaware/claude": "pending"}


def test_a_second_provider_of_a_plugin_has_a_key_of_its_own(machine: Machine) -> None:
    machine.join(plugin("claude"))
    second = ProviderRef("claude-web", "@hypaware/claude")
    assert states(machine.report(second, CLAUDE)) == {
        "@hypaware/claude": "pending",
        "@hypaware/claude/claude-web": "pending",
    }


@pytest.mark.parametrize(
    ("marker", "state"),
    [(None, "running"), (FAILED, "running"), (DONE, "done"), (REFUSED, "refused")],
)
def test_a_running_import_wins_over_no_marker_and_a_failure(
    machine: Machine, marker: dict[str, Any] | None, state: str
) -> None:
    machine.join(plugin("claude"))
    live = LiveState(
        DAEMON,
        markers={"backfill": {"@hypaware/claude": marker}} if marker else {},
        running={"@hypaware/claude": LiveImport("claude", "run-7", 99, "2026-06-25T09:00:00.000Z")},
    )
    report = machine.report(live=live)
    assert states(report) == {"@hypaware/claude": state}
    if state == "running":
        assert report["client_actions"] == [
            {
                "kind": "backfill",
                "request_key": "@hypaware/claude",
                "state": "running",
                "run_id": "run-7",
                "pid": 99,
                "started_at": "2026-06-25T09:00:00.000Z",
            }
        ]
        assert "[running]  (since 2026-06-25T09:00:00.000Z, pid 99)" in render_text(report)


def test_without_a_daemon_a_running_import_is_found_by_its_run_folder(machine: Machine) -> None:
    machine.join(plugin("claude"))
    folder = ProviderRuns(machine.home, "claude").new_run(
        plugin="@hypaware/claude",
        request_key="@hypaware/claude",
        argv=["hyp", "backfill", "claude", "--json"],
        since=None,
        attempt=1,
        reason="confirm-edge",
        daemon_run_id="r1",
        now=datetime(2026, 6, 25, tzinfo=UTC),
        token="0a1b2c",
    )
    me = identify(os.getpid())
    assert me is not None
    folder.write_pids(PidRecord(boot_id=boot_id(), launcher=me, import_=me))

    (row,) = machine.report()["client_actions"]
    assert row == {
        "kind": "backfill",
        "request_key": "@hypaware/claude",
        "state": "running",
        "run_id": folder.run_id,
        "started_at": "2026-06-25T00:00:00.000Z",
        "pid": os.getpid(),
    }


def test_an_import_that_has_no_process_yet_has_no_pid(machine: Machine) -> None:
    run = LiveImport("claude", "run-7", None, "2026-06-25T09:00:00.000Z")
    report = machine.report(live=LiveState(DAEMON, running={"@hypaware/claude": run}))
    assert "pid" not in report["client_actions"][0]
    assert "[running]  (since 2026-06-25T09:00:00.000Z)" in render_text(report)


def test_the_text_says_what_each_state_needs(machine: Machine) -> None:
    # status 9, 10.
    machine.join(plugin("claude"), plugin("codex", backfill={"on_join": False}))
    machine.mark(
        {
            "backfill": {
                "@example/done": {**DONE, "rows": 7},
                "@example/failed": FAILED,
                "@example/once": {**FAILED, "attempts": 1},
            },
            "attach": {"openclaw": REFUSED, "silent": {**REFUSED, "reason": ""}},
        }
    )
    text = render_text(machine.report(CLAUDE, CODEX))
    hint = "run 'hyp client attach openclaw' after fixing the cause"
    failure = f"{FAILED['reason']}, last attempt {FAILED['last_attempt']}"
    section = text.partition("  client actions:\n")[2].splitlines()
    assert [" ".join(line.split()) for line in section] == [
        f"- attach openclaw [refused] (entry is not ours) {hint}",
        "- attach silent [refused] run 'hyp client attach silent' after fixing the cause",
        "- backfill @example/done [done] (7 rows, at 2026-06-25T09:00:00.000Z)",
        f"- backfill @example/failed [failed] ({failure}, 2 attempts)",
        f"- backfill @example/once [failed] ({failure}, 1 attempt)",
        "- backfill @hypaware/claude [pending]",
        "- backfill @hypaware/codex [n/a]",
    ]
