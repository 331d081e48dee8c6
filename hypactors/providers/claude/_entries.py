"""A line that belongs to a session: an entry (import §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.providers._blocks import blocks_of, text_or_none
from hypactors.providers._protocol import Message
from hypactors.providers._time import iso_of, parse_time_ms
from hypactors.providers.claude._lines import Line, RaggedLine

if TYPE_CHECKING:
    from collections.abc import Mapping

SYNTHETIC_MODEL = "<synthetic>"


class Entry(msgspec.Struct, frozen=True):
    """One line of a session. Without a role it makes no message, but may tell the folder."""

    session_id: str
    role: str | None
    timestamp_ms: int | None
    api_id: str | None
    """The id of the model's response: the client writes a line for each of its blocks."""
    cwd: str | None
    entrypoint: str | None
    client_version: str | None
    usage: Mapping[str, Any] | None
    line: Line


def entry_of(line: Line) -> Entry | None:
    """Return the entry that a line makes, or None when it belongs to no session."""
    session_id = text_or_none(line.session_id)
    if session_id is None:
        return None
    message = line.message if isinstance(line.message, dict) else {}
    role = text_or_none(message.get("role"))
    if role is None and line.type in ("user", "assistant"):
        role = str(line.type)
    api_id = text_or_none(message.get("id")) or text_or_none(line.message_id)
    if (
        api_id is None
        and text_or_none(line.uuid) is None
        and (role is None or not blocks_of(message.get("content")))
    ):
        return None
    usage = message.get("usage")
    return Entry(
        session_id=session_id,
        role=role,
        timestamp_ms=parse_time_ms(line.timestamp),
        api_id=api_id,
        cwd=text_or_none(line.cwd),
        entrypoint=text_or_none(line.entrypoint),
        client_version=text_or_none(line.version) or text_or_none(line.claude_version),
        usage=usage if isinstance(usage, dict) else None,
        line=line,
    )


def message_of(entry: Entry, *, usage: Mapping[str, Any] | None, spawned_by: str | None) -> Message:
    """Return the message of an entry that has a role (import §4.3)."""
    line = entry.line
    body = line.message if isinstance(line.message, dict) else {}
    attachment = line.attachment if isinstance(line.attachment, dict) else {}
    uuid = text_or_none(line.uuid)
    model = text_or_none(body.get("model"))
    compact = line.compact_metadata
    parent = text_or_none(line.parent_uuid) or text_or_none(line.parent_uuid_snake)
    logical_parent = text_or_none(line.logical_parent_uuid) or text_or_none(
        line.logical_parent_uuid_snake
    )
    return Message(
        role=entry.role,
        content=body.get("content"),
        message_id=uuid,
        message_created_ms=entry.timestamp_ms,
        provider_uuid=uuid,
        parent_uuid=parent,
        logical_parent_uuid=logical_parent,
        source_tool_assistant_uuid=text_or_none(line.source_tool_assistant)
        or text_or_none(line.source_tool_assistant_snake),
        request_id=text_or_none(line.request_id) or text_or_none(line.request_id_snake),
        prompt_id=text_or_none(line.prompt_id) or text_or_none(line.prompt_id_snake),
        provider_type=text_or_none(line.type),
        provider_subtype=text_or_none(line.subtype),
        model=None if model == SYNTHETIC_MODEL else model,
        entrypoint=entry.entrypoint,
        user_type=text_or_none(line.user_type) or text_or_none(line.user_type_snake),
        permission_mode=text_or_none(line.permission_mode)
        or text_or_none(line.permission_mode_snake),
        is_sidechain=_boolean(line.is_sidechain),
        agent_id=agent_of(line),
        attachment_type=text_or_none(attachment.get("type")),
        hook_event=text_or_none(attachment.get("hookEvent")) or text_or_none(line.hook_event),
        is_compact_summary=_boolean(line.is_compact_summary),
        compact_metadata=line.compact_metadata_snake if compact is None else compact,
        attributes=_attributes(line, usage, spawned_by),
        raw_frame=_raw_frame(entry, uuid, parent, logical_parent),
        hashed_content=line.raw_content if isinstance(line, RaggedLine) else None,
    )


def agent_of(line: Line) -> str | None:
    return text_or_none(line.agent_id) or text_or_none(line.agent_id_snake)


def _boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _attributes(
    line: Line, usage: Mapping[str, Any] | None, spawned_by: str | None
) -> dict[str, Any] | None:
    attributes: dict[str, Any] = {}
    claude: dict[str, Any] = {}
    if spawned_by is not None:
        claude["spawned_by_tool_use_id"] = spawned_by
    if line.tool_use_result is not msgspec.UNSET:
        claude["tool_use_result"] = line.tool_use_result
    if usage is not None:
        attributes["usage"] = usage
    if claude:
        attributes["claude"] = claude
    return attributes or None


def _raw_frame(
    entry: Entry, uuid: str | None, parent: str | None, logical_parent: str | None
) -> dict[str, Any] | None:
    """Return a trace of the line that never holds what was said (import §4.3)."""
    moment = entry.timestamp_ms
    frame = {
        "uuid": uuid,
        "parent_uuid": parent,
        "logical_parent_uuid": logical_parent,
        "type": text_or_none(entry.line.type),
        "subtype": text_or_none(entry.line.subtype),
        "message_id": entry.api_id,
        "timestamp": None if moment is None else iso_of(moment),
    }
    return {key: value for key, value in frame.items() if value is not None} or None
