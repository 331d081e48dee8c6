"""The entries of one file -> one exchange for each session in it (import §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.providers._protocol import Exchange
from hypactors.providers.claude._context import match_record
from hypactors.providers.claude._entries import agent_of, message_of
from hypactors.providers.claude._git import Repository, redact_remote
from hypactors.providers.claude._usage import usages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hypactors.providers._protocol import Window
    from hypactors.providers.claude._context import ContextRecord
    from hypactors.providers.claude._entries import Entry

CLIENT = "claude"


@dataclass(frozen=True, slots=True)
class Owner:
    """The client that a launch surface belongs to, and the plugin that has to be configured."""

    client: str
    plugin: str


# Sessions of these entrypoints lie among ours but are another client's (import §4.4).
OWNERS: Mapping[str, Owner] = {
    "claude-desktop": Owner("claude-desktop", "@hypaware/claude-desktop"),
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of a session beside its lines."""

    window: Window
    records: Sequence[ContextRecord]
    spawning_calls: Mapping[str, str]
    is_configured: Callable[[str], bool]
    repository: Callable[[str], Repository]


def group_sessions(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Sort by time, what has none last, and group by session in the order of appearance."""
    sessions: dict[str, list[Entry]] = {}
    for entry in sorted(
        entries, key=lambda entry: (entry.timestamp_ms is None, entry.timestamp_ms or 0)
    ):
        sessions.setdefault(entry.session_id, []).append(entry)
    return sessions


def client_of(entries: Sequence[Entry], is_configured: Callable[[str], bool]) -> str | None:
    """Return the client under whose name a session is imported; None: not by us."""
    entrypoint = next((entry.entrypoint for entry in entries if entry.entrypoint), None)
    owner = None if entrypoint is None else OWNERS.get(entrypoint)
    if owner is None:
        return CLIENT
    return owner.client if is_configured(owner.plugin) else None


def exchange_of(
    session_id: str, entries: Sequence[Entry], path: str, surroundings: Surroundings
) -> Exchange | None:
    """Return the exchange of one session, or None when nothing of it is imported."""
    client = client_of(entries, surroundings.is_configured)
    kept = [entry for entry in entries if surroundings.window.keeps(entry.timestamp_ms)]
    spoken = [entry for entry in kept if entry.role is not None]
    if client is None or not spoken:
        return None
    record = match_record(surroundings.records, path=path, session_id=session_id)
    cwd = record.cwd or next((entry.cwd for entry in kept if entry.cwd), None)
    remote, root = record.git_remote, record.repo_root
    if remote is not None:
        remote = redact_remote(remote)
    elif cwd is not None:
        derived = surroundings.repository(cwd)
        remote = derived.remote
        root = root or derived.root
    times = [entry.timestamp_ms for entry in spoken if entry.timestamp_ms is not None]
    calls = surroundings.spawning_calls
    return Exchange(
        provider="anthropic",
        session_id=session_id,
        client_name=client,
        conversation_source=client,
        conversation_started_ms=min(times, default=None),
        client_version=next((e.client_version for e in spoken if e.client_version), None),
        cwd=cwd,
        git_branch=record.git_branch,
        git_remote=remote,
        head_sha=record.head_sha,
        repo_root=root,
        source_path=path,
        native_id=session_id,
        messages=[
            message_of(entry, usage=usage, spawned_by=calls.get(agent_of(entry.line) or ""))
            for entry, usage in zip(spoken, usages(spoken), strict=True)
        ],
    )
