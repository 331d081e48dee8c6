"""Exchange -> rows, one row for each content block, the same for every provider (import §6).

A row is a tuple in the order of ``ROW_COLUMNS``; JSON columns hold JSON text, the two that every
row has as UTF-8, and the two times hold milliseconds. Nothing here knows how rows are stored.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from hypactors.providers._attributes import AttributesPrinter
from hypactors.providers._blocks import Part, blocks_of, part_of
from hypactors.providers._json import canonical, one_text, to_json, to_json_bytes
from hypactors.providers._seen import SeenIds
from hypactors.providers._time import day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypactors.providers._protocol import Exchange, Message

SCHEMA_VERSION = 7
GATEWAY_ID = "hypaware-local"


class Row(NamedTuple):
    """The 56 columns of ``ai_gateway_messages``, in their order (import §6.1)."""

    gateway_id: str
    schema_version: int
    session_id: str
    conversation_id: str | None
    user_id: str | None
    provider: str
    model: str | None
    system_text: str | None
    tools: str | None
    conversation_started_at: int
    conversation_source: str | None
    client_name: str | None
    cwd: str | None
    git_branch: str | None
    git_remote: str | None
    head_sha: str | None
    repo_root: str | None
    client_version: str | None
    entrypoint: str | None
    user_type: str | None
    permission_mode: str | None
    is_sidechain: bool | None
    agent_id: str | None
    parent_thread_id: str | None
    message_id: str
    previous_message_id: str
    provider_uuid: str | None
    parent_uuid: str | None
    logical_parent_uuid: str | None
    source_tool_assistant_uuid: str | None
    request_id: str | None
    prompt_id: str | None
    message_index: int
    message_created_at: int
    role: str
    part_id: str
    part_index: int
    part_type: str
    provider_type: str | None
    provider_subtype: str | None
    content_text: str | None
    tool_name: str | None
    tool_call_id: str | None
    tool_args: str | None
    caller_type: str | None
    tool_result_for: str | None
    thinking_signature: str | None
    attachment_type: str | None
    hook_event: str | None
    is_error: bool | None
    is_compact_summary: bool | None
    compact_metadata: str | None
    status: str | None
    attributes: bytes
    raw_frame: bytes | None
    date: str


ROW_COLUMNS: tuple[str, ...] = Row._fields

# What ``Row(...)`` does, in half the time.
_row: Callable[[tuple[object, ...]], Row] = partial(tuple.__new__, Row)


def expand(exchange: Exchange, *, now_ms: int) -> Iterator[Row]:
    """Yield the rows of one exchange; none when it lacks a provider or a session.

    ``now_ms`` is the time of messages of which nothing says when they were written (import §6.3).
    """
    if not exchange.provider or not exchange.session_id:
        return
    started_ms = exchange.conversation_started_ms
    if started_ms is None:
        started_ms = now_ms
    thread = exchange.conversation_id or exchange.session_id
    attributes = AttributesPrinter(exchange)
    tool_names: dict[str, str | None] = {}
    seen = SeenIds()
    last_in_chain: dict[str | None, str] = {}

    for message_index, message in enumerate(exchange.messages):
        blocks = blocks_of(message.content)
        role = message.role
        if not role or not blocks:
            continue
        agent_id = message.agent_id
        message_id = message.message_id or _fallback_id(thread, message)
        if not seen.add(message_id):
            continue
        before = last_in_chain.get(agent_id)
        previous = "[]" if before is None else one_text(before)
        created_ms = message.message_created_ms
        if created_ms is None:
            created_ms = started_ms
        plain, final = attributes.of(message, has_one_part=len(blocks) == 1)
        side = message.is_sidechain
        compact = _json_or_none(message.compact_metadata)
        frame = message.raw_frame
        if frame is not None and not isinstance(frame, bytes):
            frame = to_json_bytes(frame)
        last_index = len(blocks) - 1
        for part_index, block in enumerate(blocks):
            part = part_of(block)
            # By position, in the order of the class: this is the hot path of an import.
            yield _row(
                (
                    GATEWAY_ID,
                    SCHEMA_VERSION,
                    exchange.session_id,
                    exchange.conversation_id,
                    None,
                    message.provider or exchange.provider,
                    message.model or exchange.model,
                    None,
                    None,
                    started_ms,
                    exchange.conversation_source,
                    exchange.client_name,
                    exchange.cwd,
                    exchange.git_branch,
                    exchange.git_remote,
                    exchange.head_sha,
                    exchange.repo_root,
                    exchange.client_version,
                    message.entrypoint or exchange.entrypoint,
                    message.user_type or exchange.user_type,
                    message.permission_mode or exchange.permission_mode,
                    exchange.is_sidechain if side is None else side,
                    agent_id,
                    message.parent_thread_id or exchange.parent_thread_id,
                    message_id,
                    previous,
                    message.provider_uuid,
                    message.parent_uuid,
                    message.logical_parent_uuid,
                    message.source_tool_assistant_uuid,
                    message.request_id,
                    message.prompt_id,
                    message_index,
                    created_ms,
                    role,
                    f"{message_id}#{part_index}",
                    part_index,
                    part.part_type,
                    message.provider_type,
                    message.provider_subtype or part.block_type,
                    part.content_text,
                    _tool_name(part, tool_names),
                    part.tool_call_id,
                    part.tool_args,
                    part.caller_type,
                    part.tool_result_for,
                    part.thinking_signature,
                    message.attachment_type,
                    message.hook_event,
                    part.is_error,
                    message.is_compact_summary,
                    compact,
                    part.status,
                    final if part_index == last_index else plain,
                    frame,
                    day_of(created_ms),
                )
            )
        last_in_chain[agent_id] = message_id


def _tool_name(part: Part, tool_names: dict[str, str | None]) -> str | None:
    """Return a call's name and remember it, or the name of the call that a result answers."""
    if part.tool_result_for is not None:
        return tool_names.get(part.tool_result_for)
    if part.tool_call_id is not None:
        tool_names[part.tool_call_id] = part.tool_name
    return part.tool_name


def _json_or_none(value: Any) -> str | None:
    return None if value is None else to_json(value)


def _fallback_id(thread: str, message: Message) -> str:
    """Name a message by what it says, when the client gave it no id (import §6.2)."""
    content = message.content if message.hashed_content is None else message.hashed_content
    blocks = [
        {key: value for key, value in block.items() if key not in {"cache_control", "caller"}}
        if isinstance(block, dict)
        else block
        for block in blocks_of(content)
    ]
    scope = thread if message.agent_id is None else f"{thread}:{message.agent_id}"
    named = f"{scope}:{message.role}:{canonical(blocks)}"
    return hashlib.sha256(named.encode()).hexdigest()[:16]
