"""Where a machine stands, and what of it needs a person."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cli.main import COMMANDS
from hypactors.config import active_slot
from hypactors.status import render_text
from hypactors.status._attention import attention
from hypactors.status._convergence import convergence

if TYPE_CHECKING:
    from hypactors.status._report import LinkRow, RemoteConfigRow
    from tests.status.conftest import Machine

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def iso(minutes_ago: float) -> str:
    return (NOW - timedelta(minutes=minutes_ago)).isoformat()


def remote(**changes: Any) -> RemoteConfigRow:
    rows: RemoteConfigRow = {
        "running_etag": "r1",
        "probation": None,
        "last_rollback": None,
        "bad_etag": None,
    }
    return {**rows, **changes}  # type: ignore[typeddict-item]


def link(**changes: Any) -> LinkRow:
    rows: LinkRow = {
        "sink": "central", "url": "u", "fleet": "f", "gateway_id": "g", "served_etag": "r1",
        "polled_at": iso(1), "succeeded_at": iso(1), "failures": 0, "error": None,
        "next_poll_at": None,
    }  # fmt: skip
    return {**rows, **changes}  # type: ignore[typeddict-item]


TRIAL = {"etag": "r2", "applied_at": iso(5), "until": "2026-11-25T12:10:00.000Z"}
ROLLBACK = {"etag": "r2", "reason": "probation_expired", "at": iso(30)}
BAD = {"etag": "r2", "reason": "probation_expired", "recorded_at": iso(30)}


@pytest.mark.parametrize(
    ("state", "facts"),
    [
        ("never_joined", {"is_joined": False}),
        ("seed", {"remote": remote(running_etag=None)}),
        ("on_trial", {"remote": remote(probation=TRIAL)}),
        ("on_trial", {"remote": remote(probation=TRIAL), "link": None, "is_live": False}),
        ("applying", {"remote": remote(probation=TRIAL), "link": None}),
        ("applying", {"remote": remote(probation=TRIAL), "link": link(polled_at=None)}),
        ("converged", {}),
        ("converged", {"link": None, "is_live": False}),
        ("converged", {"link": link(failures=3, succeeded_at=iso(9))}),
        ("stale_poll", {"link": link(failures=3, succeeded_at=iso(11))}),
        ("stale_poll", {"link": link(failures=1, succeeded_at=None)}),
        ("converged", {"link": link(failures=0, succeeded_at=None, polled_at=None)}),
        ("converged", {"link": link(failures=3, succeeded_at=iso(50)), "poll_interval_s": 1200}),
        ("rolled_back", {"remote": remote(last_rollback=ROLLBACK, bad_etag=BAD)}),
        (
            "converged",
            {
                "remote": remote(last_rollback=ROLLBACK, bad_etag=BAD),
                "applied_at": NOW - timedelta(minutes=5),
            },
        ),
        (
            "converged",
            {"remote": remote(last_rollback=ROLLBACK, bad_etag=BAD | {"etag": "other"})},
        ),
    ],
)
def test_where_the_machine_stands(state: str, facts: dict[str, Any]) -> None:
    usual: dict[str, Any] = {
        "is_joined": True, "remote": remote(), "link": link(), "is_live": True,
        "applied_at": NOW - timedelta(hours=1), "confirmed_at": None, "poll_interval_s": 60,
        "now": NOW,
    }  # fmt: skip
    assert convergence(**(usual | facts))["state"] == state


def test_what_only_a_daemon_knows_is_null_without_one() -> None:
    row = convergence(
        is_joined=True, remote=remote(probation=TRIAL), link=None, is_live=False,
        applied_at=None, confirmed_at=iso(90), poll_interval_s=60, now=NOW,
    )  # fmt: skip
    assert row == {
        "state": "on_trial",
        "running_etag": "r1",
        "served_etag": None,
        "last_poll_at": None,
        "confirmed_at": None,  # what is on trial is not confirmed
        "until": TRIAL["until"],
    }


ON = {"running": True, "pid": 7, "installed": True}
OFF = {"running": False, "installed": False}


def report(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "diagnostics": [],
        "daemon": ON,
        "source": "daemon",
        "config_layers": {},
        "convergence": {"state": "converged"},
        "link": link(),
        "client_actions": [],
        "actors": [],
        "cache": {"catalog": None},
        "forwarding": [],
        "first_sync_hold": None,
    }
    return usual | changes


def action(state: str, **more: Any) -> dict[str, Any]:
    return {"kind": "backfill", "request_key": "@x/y z", "state": state, **more}


def sent(**more: Any) -> dict[str, Any]:
    return {"sink": "central", "failures": 0, "set_aside": 0, "error": None, **more}


@pytest.mark.parametrize(
    ("changes", "kind", "command"),
    [
        ({"daemon": OFF | {"installed": True}}, "daemon_not_running", "daemon start"),
        ({"daemon": OFF}, "daemon_not_running", "daemon install"),
        ({"source": "files"}, "daemon_unresponsive", "daemon restart"),
        ({"daemon": ON | {"export_trouble": "m"}}, "export_trouble", "doctor"),
        (
            {"diagnostics": [{"severity": "error", "kind": "config_invalid", "message": "m"}]},
            "config_invalid", "config show",
        ),
        (
            {"diagnostics": [{"severity": "error", "kind": "config_missing", "message": "m"}]},
            "config_missing", "join URL --token-file FILE",
        ),
        (
            {"convergence": {"state": "stale_poll"}, "link": link(error="refused")},
            "stale_poll", "logs --event central.config.poll_failed",
        ),
        (
            {"client_actions": [action("failed", attempts=2, reason="r")]},
            "action_failed", "actions explain '@x/y z'",
        ),
        ({"client_actions": [action("refused")]}, "action_refused", "actions explain '@x/y z'"),
        ({"client_actions": [action("blocked")]}, "action_blocked", "actions explain '@x/y z'"),
        (
            {"client_actions": [action("done", covered_days=30, policy_days=90)]},
            "window_grew", "actions retry '@x/y z'",
        ),
        (
            {"actors": [{"name": "a:b", "state": "unresponsive", "restarts": 0}]},
            "actor_unresponsive", "daemon restart",
        ),
        (
            {"actors": [{"name": "a", "state": "running", "restarts": 1, "last_crash": "E"}]},
            "actor_crashed", "logs --event 'actor_*'",
        ),
        ({"forwarding": [sent(failures=2, error="no")]}, "forward_failed", "forward central"),
        (
            {"forwarding": [sent()], "cache": {"catalog": "db/lake"}},
            "rows_elsewhere",
            "config show --local",
        ),
        (
            {"forwarding": [sent(set_aside=4)]},
            "rows_set_aside", "logs --event 'central.forward.*'",
        ),
        ({"first_sync_hold": {"deadline": "tonight"}}, "first_sync_hold", "sync"),
    ],
)  # fmt: skip
def test_each_trouble_ends_with_the_command_that_helps(
    changes: dict[str, Any], kind: str, command: str
) -> None:
    [row] = attention(report(**changes))
    assert (row["kind"], row["command"]) == (kind, f"hyp {command}")
    assert shlex.split(row["command"])[1] in COMMANDS


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"daemon": {"running": False, "installed": False}, "config_layers": None},
        {"client_actions": [action("failed", attempts=1), action("running"), action("n/a")]},
        {"client_actions": None, "actors": None},
        {"forwarding": [sent(failures=1)]},
    ],
)
def test_what_mends_itself_needs_nobody(changes: dict[str, Any]) -> None:
    assert attention(report(**changes)) == []


def test_a_rollback_needs_attention_until_another_config_has_come() -> None:
    row = {"severity": "warning", "kind": "remote_config_rolled_back", "message": "m"}
    assert attention(report(diagnostics=[row])) == []
    [found] = attention(report(diagnostics=[row], convergence={"state": "rolled_back"}))
    assert found["command"] == "hyp logs --event 'config.*'"


def test_errors_come_first() -> None:
    rows = attention(report(source="files", first_sync_hold={"deadline": "d"}))
    assert [row["severity"] for row in rows] == ["error", "warning"]


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("1-seed-only", "seed"),
        ("2-probation", "on_trial"),
        ("4-backfill-done", "converged"),
        ("7-probation-unreachable", "on_trial"),
    ],
)
def test_golden_states_say_where_they_stand(machine: Machine, name: str, state: str) -> None:
    machine.take_golden(name)
    found = machine.report()
    assert found["convergence"]["state"] == state
    assert f"standing: {state.replace('_', ' ').replace('seed', 'joined, no')}" in render_text(
        found
    )


def test_it_says_when_the_config_was_confirmed(machine: Machine) -> None:
    """The other client does not note it: then there is nothing to say."""
    machine.take_golden("4-backfill-done")
    found = machine.report()
    assert found["convergence"]["confirmed_at"] is None
    assert "confirmed at" not in render_text(found)
    slot = active_slot(machine.home)
    assert slot is not None
    note = {"v": 1, "etag": found["convergence"]["running_etag"], "at": iso(3)}
    machine.home.slot_confirmed_file(slot).write_text(json.dumps(note))
    found = machine.report()
    assert found["convergence"]["confirmed_at"] == iso(3)
    assert f"confirmed at {iso(3)}" in render_text(found)
