"""One rollout -> one exchange (import §5.3, §5.4)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypactors.providers._blocks import text_or_none
from hypactors.providers._json import scrub
from hypactors.providers._protocol import Exchange, Message
from hypactors.providers._remote import redact_remote
from hypactors.providers._time import parse_time_ms
from hypactors.providers.codex._items import item_of
from hypactors.providers.codex._usage import usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hypactors.providers._protocol import Window
    from hypactors.providers.codex._items import Item
    from hypactors.providers.codex._records import Rollout

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(slots=True)
class Header:
    """What the lines around the messages say; of several, the first counts."""

    meta: Mapping[str, Any] = field(default_factory=dict)
    has_meta: bool = False
    turn_cwd: str | None = None
    turn_model: str | None = None
    turn_sandbox: str | None = None
    policy_sandbox: str | None = None
    has_policy: bool = False
    has_message: bool = False
    has_native_id: bool = False

    def see_meta(self, payload: Mapping[str, Any]) -> None:
        if not self.has_meta:
            self.meta, self.has_meta = scrub(payload), True

    def see_turn(self, payload: Mapping[str, Any]) -> None:
        turn = scrub(payload)
        self.turn_cwd = self.turn_cwd or folder_or_none(turn.get("cwd"))
        self.turn_model = self.turn_model or text_or_none(turn.get("model"))
        self.turn_sandbox = self.turn_sandbox or text_or_none(turn.get("sandbox"))
        policy = turn.get("sandbox_policy")
        if isinstance(policy, dict) and not self.has_policy:
            self.has_policy = True
            self.policy_sandbox = text_or_none(policy.get("type"))

    def text(self, key: str) -> str | None:
        return text_or_none(self.meta.get(key))


def folder_or_none(value: Any) -> str | None:
    """Return a folder as it was written, if it says where it is: not blank, not relative."""
    text = text_or_none(value) or ""
    is_absolute = text.startswith("/") or re.match(r"[A-Za-z]:[\\/]|\\\\", text) is not None
    return text if is_absolute else None


def exchange_of(rollout: Rollout, path: Path, window: Window) -> Exchange | None:
    """Return the one exchange of a rollout, None when there is nothing to import in it."""
    header = Header()
    for item, _, _ in _entries(rollout, header, window):
        if item is not None:
            header.has_message = True
            header.has_native_id = header.has_native_id or item.native_id is not None
    if not header.has_message:
        return None
    thread = header.text("id") or _thread_in(path)
    thread_source = header.text("thread_source")
    git = header.meta.get("git")
    git = git if isinstance(git, dict) else {}
    cwd = folder_or_none(header.meta.get("cwd")) or header.turn_cwd
    remote = text_or_none(git.get("repository_url")) or text_or_none(git.get("origin_url"))
    remote = None if remote is None else redact_remote(remote)
    commit = text_or_none(git.get("commit_hash")) or text_or_none(git.get("commit"))
    session = header.text("session_id") or thread
    sandbox = header.policy_sandbox or header.turn_sandbox
    dirty = next((git[key] for key in ("dirty", "is_dirty") if type(git.get(key)) is bool), None)
    attributes = {
        "identity_source": "native" if header.has_native_id else "gateway_fallback",
        "session_id": session,
        "thread_id": None if thread == session else thread,
        "workspace": cwd,
        "git_origin_url": remote,
        "git_commit": commit,
        "sandbox": sandbox,
        "originator": header.text("originator"),
        "thread_source": thread_source,
        "model_provider": header.text("model_provider"),
        "source": header.text("source"),
        "has_changes": dirty,
    }
    return Exchange(
        provider="openai",
        session_id=session,
        conversation_id=thread,
        client_name="codex",
        conversation_source="codex",
        conversation_started_ms=parse_time_ms(header.meta.get("timestamp")),
        client_version=header.text("cli_version"),
        cwd=cwd,
        git_branch=text_or_none(git.get("branch")),
        git_remote=remote,
        head_sha=commit,
        model=header.turn_model,
        entrypoint=header.text("originator"),
        user_type=thread_source,
        permission_mode=sandbox,
        is_sidechain=None if thread_source is None else thread_source == "subagent",
        parent_thread_id=header.text("parent_thread_id"),
        source_path=str(path),
        native_id=thread,
        attributes={
            "codex": {key: value for key, value in attributes.items() if value is not None}
        },
        messages=_messages(rollout, window),
    )


def _thread_in(path: Path) -> str:
    """Return the id in a file's name, else the name; it need not be text."""
    found = _UUID.search(path.name)
    return found[0] if found else os.fsencode(path.stem).decode("utf-8", "replace")


def _messages(rollout: Rollout, window: Window) -> Iterator[Message]:
    """Yield the messages; one that may carry the usage of its turn waits until that is told.

    Of a turn, the last such message carries it: the next one says that this was not the last.
    """
    waiting: list[tuple[Item, int | None]] = []
    for item, moment, usage in _entries(rollout, Header(), window):
        if item is None or item.may_carry_usage:
            yield from _told(waiting, usage)
            waiting = []
        if item is None:
            continue
        if waiting or item.may_carry_usage:
            waiting.append((item, moment))
        else:
            yield _message(item, moment, None)
    yield from _told(waiting, None)


def _told(
    waiting: Sequence[tuple[Item, int | None]], usage: dict[str, Any] | None
) -> Iterator[Message]:
    """Yield what waited; the first of it is what may carry the usage."""
    for index, (item, moment) in enumerate(waiting):
        yield _message(item, moment, None if index else usage)


def _message(item: Item, moment: int | None, usage: dict[str, Any] | None) -> Message:
    clean = scrub(item.blocks)
    return Message(
        role=scrub(item.role),
        content=clean,
        message_id=scrub(item.native_id),
        message_created_ms=moment,
        provider_type=item.type,
        attributes=None if usage is None else {"usage": usage},
        hashed_content=None if clean == item.blocks else item.blocks,
    )


def _entries(
    rollout: Rollout, header: Header, window: Window
) -> Iterator[tuple[Item | None, int | None, dict[str, Any] | None]]:
    """Yield what is in the window: an item with its time, or the usage that ends a turn."""
    if rollout.legacy is not None:
        header.see_meta(rollout.legacy.session)
        for payload in rollout.legacy.items:
            item = item_of(payload)
            if item is not None:
                yield item, None, None
        return
    for record in rollout.records():
        if record.type == "session_meta":
            header.see_meta(record.payload)
        elif record.type == "turn_context":
            header.see_turn(record.payload)
        elif window.keeps(moment := parse_time_ms(record.timestamp)):
            item = item_of(record.payload) if record.type == "response_item" else None
            usage = usage_of(record.payload) if record.type == "event_msg" else None
            if item is not None or usage is not None:
                yield item, moment, usage
