"""The session-context channel: what the client's hook noted of a session (import §4.2)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypactors.providers._blocks import text_or_none
from hypactors.providers._json import scrub

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hypactors.paths import HypHome

# The file only grows, and only the newest records are of use.
_TAIL_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class ContextRecord:
    """Where a session ran, as the hook saw it."""

    session_id: str
    transcript_path: str | None = None
    cwd: str | None = None
    git_branch: str | None = None
    git_remote: str | None = None
    head_sha: str | None = None
    repo_root: str | None = None


def context_file(home: HypHome) -> Path:
    """Return the file that the hook of ``@hypaware/claude`` appends to."""
    return home.state_root / "plugins" / "@hypaware" / "claude" / "session-context.jsonl"


def read_context(path: Path) -> tuple[ContextRecord, ...]:
    """Read the newest records, oldest first. No file is no record; raises other ``OSError``."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL_BYTES))
            lines = stream.read(_TAIL_BYTES).split(b"\n")
    except FileNotFoundError:
        return ()
    if size > _TAIL_BYTES:
        lines = lines[1:]
    return tuple(record for record in map(_record, lines) if record is not None)


def _record(data: bytes) -> ContextRecord | None:
    try:
        value: Any = scrub(json.loads(data))
    except (ValueError, RecursionError):
        return None
    session_id = text_or_none(value.get("session_id")) if isinstance(value, dict) else None
    if session_id is None:
        return None
    return ContextRecord(
        session_id=session_id,
        transcript_path=text_or_none(value.get("transcript_path")),
        cwd=text_or_none(value.get("cwd")),
        git_branch=text_or_none(value.get("git_branch")),
        git_remote=text_or_none(value.get("git_remote")),
        head_sha=text_or_none(value.get("head_sha")),
        repo_root=text_or_none(value.get("repo_root")),
    )


def match_record(records: Sequence[ContextRecord], *, path: str, session_id: str) -> ContextRecord:
    """Return the newest record of this transcript, else of this session, else an empty one."""
    newest_first = records[::-1]
    for record in newest_first:
        if record.transcript_path == path:
            return record
    for record in newest_first:
        if record.session_id == session_id:
            return record
    return ContextRecord(session_id)
