"""What a person should look at, each with the command that helps."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hypactors.status._report import AttentionRow

_FAILED_TWICE = 2


def attention(report: Mapping[str, Any]) -> list[AttentionRow]:
    """Return it from a report, the errors first. The report is one of ours, but for this list."""
    found = [
        *_diagnostics(report),
        *_daemon(report),
        *_convergence(report),
        *_actions(report),
        *_actors(report),
        *_forwarding(report),
    ]
    return sorted(found, key=lambda row: row["severity"] != "error")


def _diagnostics(report: Mapping[str, Any]) -> Iterator[AttentionRow]:
    for row in report["diagnostics"]:
        if row["kind"] == "config_missing":
            command = "hyp join URL --token-file FILE"
        elif row["kind"] == "remote_config_rolled_back":
            if report["convergence"]["state"] != "rolled_back":
                continue  # long ago: another config has come since
            command = "hyp logs --event 'config.*'"
        elif row["kind"] == "local_only_list_unreadable":
            command = "hyp sync"
        else:
            command = "hyp config show"
        yield _row(row["severity"], row["kind"], row["message"], command)


def _daemon(report: Mapping[str, Any]) -> Iterator[AttentionRow]:
    daemon = report["daemon"]
    is_joined = report["config_layers"] is not None
    if daemon["running"] and report["source"] == "files":
        yield _row(
            "error",
            "daemon_unresponsive",
            f"the daemon (pid {daemon['pid']}) does not answer",
            "hyp daemon restart",
        )
    elif not daemon["running"] and is_joined:
        command = "hyp daemon start" if daemon["installed"] else "hyp daemon install"
        yield _row(
            "warning",
            "daemon_not_running",
            "the daemon does not run, so nothing is polled, imported or sent",
            command,
        )
    if daemon.get("export_trouble") is not None:
        yield _row("warning", "export_trouble", daemon["export_trouble"], "hyp doctor")


def _convergence(report: Mapping[str, Any]) -> Iterator[AttentionRow]:
    link = report["link"]
    if report["convergence"]["state"] == "stale_poll" and link is not None:
        since = link["succeeded_at"] or "it began"
        message = f"the server has not answered since {since}: {link['error']}"
        yield _row("warning", "stale_poll", message, "hyp logs --event central.config.poll_failed")


def _actions(report: Mapping[str, Any]) -> Iterator[AttentionRow]:
    for row in report["client_actions"] or ():
        name = shlex.quote(row["request_key"])
        state, reason = row["state"], row.get("reason") or "no reason was given"
        if state == "failed" and row.get("attempts", 0) >= _FAILED_TWICE:
            message = f"{row['kind']} {row['request_key']} failed {row['attempts']} times: {reason}"
            yield _row("warning", "action_failed", message, f"hyp actions explain {name}")
        elif state in {"refused", "blocked"}:
            message = f"{row['kind']} {row['request_key']} is {state}: {reason}"
            yield _row("warning", f"action_{state}", message, f"hyp actions explain {name}")
        elif "covered_days" in row:
            message = f"{row['kind']} {row['request_key']} covers less than the policy asks for"
            yield _row("warning", "window_grew", message, f"hyp actions retry {name}")


def _actors(report: Mapping[str, Any]) -> Iterator[AttentionRow]:
    for actor in report["actors"] or ():
        if actor["state"] == "unresponsive":
            message = f"the actor {actor['name']} does not answer"
            yield _row("error", "actor_unresponsive", message, "hyp daemon restart")
        elif actor["restarts"] and actor.get("last_crash"):
            message = f"the actor {actor['name']} crashed: {actor['last_crash']}"
            yield _row("warning", "actor_crashed", message, "hyp logs --event 'actor_*'")


def _forwarding(report: Mapping[str, Any]) -> Iterator[AttentionRow]:
    for row in report["forwarding"]:
        sink = shlex.quote(row["sink"])
        if row["failures"] >= _FAILED_TWICE:
            message = f"sending to {row['sink']} failed {row['failures']} times: {row['error']}"
            yield _row("warning", "forward_failed", message, f"hyp forward {sink}")
        if row["set_aside"]:
            message = f"{row['set_aside']} rows were refused by {row['sink']} and set aside"
            yield _row("warning", "rows_set_aside", message, "hyp logs --event 'central.forward.*'")
        if report["cache"]["catalog"] is not None:
            message = f"rows go to a catalogue of your own, so {row['sink']} gets none of them"
            yield _row("warning", "rows_elsewhere", message, "hyp config show --local")
    if report["first_sync_hold"] is not None:
        message = f"rows stay here until {report['first_sync_hold']['deadline']}"
        yield _row("warning", "first_sync_hold", message, "hyp sync")


def _row(
    severity: Literal["error", "warning"], kind: str, message: str, command: str
) -> AttentionRow:
    return {"severity": severity, "kind": kind, "message": message, "command": command}
