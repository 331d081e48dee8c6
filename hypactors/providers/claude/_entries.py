"""A line that belongs to a session, and the message it makes (import §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.providers._blocks import blocks_of, text_or_none
from hypactors.providers._protocol import Message
from hypactors.providers._time import is_usual, iso_of
from hypactors.providers.claude._lines import RaggedLine
from hypactors.providers.claude._usage import usage_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.providers.claude._lines import Line

SYNTHETIC_MODEL = "<synthetic>"


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """A trace of the line that never holds what was said (import §4.3)."""

    uuid: str | None = None
    parent_uuid: str | None = None
    logical_parent_uuid: str | None = None
    type: str | None = None
    subtype: str | None = None
    message_id: str | None = None
    timestamp: str | None = None


_print_frame = msgspec.json.Encoder().encode
_EMPTY_FRAME = _print_frame(Frame())


def role_of(line: Line) -> str | None:
    """Return who speaks; None for a line that makes no message."""
    if line.message is not None:
        role = text_or_none(line.message.get("role"))
        if role is not None:
            return role
    return line.type if line.type in {"user", "assistant"} else None


def api_id_of(line: Line) -> str | None:
    """Return the id of the model's response: the client writes a line for each of its blocks."""
    if line.message is not None:
        api_id = text_or_none(line.message.get("id"))
        if api_id is not None:
            return api_id
    return line.message_id or None


def is_entry(line: Line, role: str | None, api_id: str | None) -> bool:
    """Say whether a line with a session can be told from others, and so belongs to it."""
    if api_id is not None or line.uuid:
        return True
    return role is not None and bool(blocks_of((line.message or {}).get("content")))


def message_of(
    line: Line,
    role: str,
    moment: int | None,
    *,
    is_usage_carrier: bool,
    calls: Mapping[str, str],
) -> Message:
    """Return the message of an entry that has a role (import §4.3).

    ``moment`` is its time; ``calls`` maps the id of a subagent to the tool call that started it.
    """
    body = line.message or {}
    model = body.get("model")
    parent = line.parent_uuid or line.parent_uuid_snake or None
    logical_parent = line.logical_parent_uuid or line.logical_parent_uuid_snake or None
    compact = line.compact_metadata
    uuid = line.uuid or None
    agent_id = line.agent_id or line.agent_id_snake or None
    attachment = line.attachment
    return Message(
        role=role,
        content=body.get("content"),
        message_id=uuid,
        message_created_ms=moment,
        provider_uuid=uuid,
        parent_uuid=parent,
        logical_parent_uuid=logical_parent,
        source_tool_assistant_uuid=line.source_tool_assistant
        or line.source_tool_assistant_snake
        or None,
        request_id=line.request_id or line.request_id_snake or None,
        prompt_id=line.prompt_id or line.prompt_id_snake or None,
        provider_type=line.type or None,
        provider_subtype=line.subtype or None,
        model=None if model == SYNTHETIC_MODEL else text_or_none(model),
        entrypoint=line.entrypoint or None,
        user_type=line.user_type or line.user_type_snake or None,
        permission_mode=line.permission_mode or line.permission_mode_snake or None,
        is_sidechain=line.is_sidechain,
        agent_id=agent_id,
        attachment_type=None if attachment is None else text_or_none(attachment.get("type")),
        hook_event=(None if attachment is None else text_or_none(attachment.get("hookEvent")))
        or line.hook_event
        or None,
        is_compact_summary=line.is_compact_summary,
        compact_metadata=line.compact_metadata_snake if compact is None else compact,
        attributes=_attributes(
            line,
            usage_of(body.get("usage")) if is_usage_carrier else None,
            None if agent_id is None else calls.get(agent_id),
        ),
        raw_frame=_raw_frame(line, uuid, parent, logical_parent, moment),
        hashed_content=line.raw_content if isinstance(line, RaggedLine) else None,
    )


def _attributes(
    line: Line, usage: Mapping[str, Any] | None, spawned_by: str | None
) -> dict[str, Any] | None:
    attributes: dict[str, Any] = {}
    if usage is not None:
        attributes["usage"] = usage
    claude: dict[str, Any] = {}
    if spawned_by is not None:
        claude["spawned_by_tool_use_id"] = spawned_by
    if line.tool_use_result is not msgspec.UNSET:
        claude["tool_use_result"] = line.tool_use_result
    if claude:
        attributes["claude"] = claude
    return attributes or None


def _raw_frame(
    line: Line, uuid: str | None, parent: str | None, logical_parent: str | None, moment: int | None
) -> bytes | None:
    stamp = line.timestamp
    if moment is None:
        stamp = None
    elif not isinstance(stamp, str) or not is_usual(stamp):
        stamp = iso_of(moment)
    printed = _print_frame(
        Frame(
            uuid,
            parent,
            logical_parent,
            line.type or None,
            line.subtype or None,
            api_id_of(line),
            stamp,
        )
    )
    return None if printed == _EMPTY_FRAME else printed
