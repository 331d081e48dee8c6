"""``hyp`` alone: where this machine stands, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypactors.status import clean, object_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST = 3
_LARGEST_BYTES = 2**63
_SAID = {
    "never_joined": "on its own: it has joined no server",
    "seed": "joined, and waits for its first config",
    "applying": "going over to a new config",
    "on_trial": "trying a new config",
    "converged": "running what its server wants",
    "rolled_back": "back on the config before: the newest one failed its trial",
    "stale_poll": "running, but its server has not answered for a while",
}


def standing(report: Mapping[str, Any]) -> list[str]:
    """Return a few lines for a person. The report may be of another version: see ``status``."""
    state = str(object_of(report, "convergence").get("state"))
    daemon = object_of(report, "daemon")
    lines = [
        f"This machine is {_SAID.get(state, clean(state))}.",
        f"The daemon {'runs' if daemon.get('running') else 'does not run'}; {_cache(report)}.",
        *_actions(report),
    ]
    # That a machine on its own has no config is no trouble, and the next step says it.
    wanting = [row for row in rows_of(report, "attention") if row.get("kind") != "config_missing"]
    for row in wanting[:_MOST]:
        lines += [
            "",
            f"! {clean(row.get('message'), 200)}",
            f"    {clean(row.get('command'), 200)}",
        ]
    if len(wanting) > _MOST:
        lines += ["", f"and {len(wanting) - _MOST} more: hyp status"]
    steps = next_steps(report)
    width = max(len(command) for command, _ in steps)
    lines += ["", "next:", *(f"    {command:<{width}}   {why}" for command, why in steps)]
    return [*lines, "", "'hyp --help' lists all commands."]


def next_steps(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is worth typing now, and why; at least one thing."""
    cache = object_of(report, "cache")
    is_empty = not cache.get("oldest_partition_date") and not cache.get("catalog")
    is_joined = object_of(report, "convergence").get("state") != "never_joined"
    steps = []
    if is_empty and not is_joined:
        steps.append(("hyp backfill claude codex", "import the history of this machine"))
    if not is_empty:
        steps.append(("hyp query overview", "what your agents did: tokens, sessions, tools"))
    if not is_joined:
        steps.append(("hyp join URL --token-file FILE", "enrol this machine with a server"))
    else:
        steps.append(("hyp status", "everything there is to say"))
    if rows_of(report, "client_actions"):
        steps.append(("hyp actions list", "what its config has this machine do"))
    return steps


def _cache(report: Mapping[str, Any]) -> str:
    cache = object_of(report, "cache")
    if cache.get("catalog"):
        return f"its history goes to the catalogue {clean(cache.get('catalog'), 200)}"
    size = cache.get("size_bytes")
    if not cache.get("oldest_partition_date") or not isinstance(size, int):
        return "nothing was imported yet"
    return f"{min(max(size, 0), _LARGEST_BYTES) / 1e6:,.1f} MB of history are in the cache"


def _actions(report: Mapping[str, Any]) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows_of(report, "client_actions"):
        state = clean(row.get("state"))
        counts[state] = counts.get(state, 0) + 1
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return [f"Actions: {told}."] if told else []
