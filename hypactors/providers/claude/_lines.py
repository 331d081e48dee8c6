"""Read one transcript line by line, whatever is in it (import §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.providers._json import MAX_DEPTH, decode_lenient, is_too_deep, scrub

if TYPE_CHECKING:
    from collections.abc import Mapping


class Line(msgspec.Struct, rename="camel"):
    """The fields of a line that an import uses; the others are not even decoded.

    A field of a type that it never has counts as absent. Inside ``message`` and the other values
    that are ``Any`` nothing is checked.
    """

    session_id: str | None = None
    type: str | None = None
    subtype: str | None = None
    message: dict[str, Any] | None = None
    uuid: str | None = None
    message_id: str | None = None
    timestamp: Any = None
    cwd: str | None = None
    parent_uuid: str | None = None
    parent_uuid_snake: str | None = msgspec.field(default=None, name="parent_uuid")
    logical_parent_uuid: str | None = None
    logical_parent_uuid_snake: str | None = msgspec.field(default=None, name="logical_parent_uuid")
    source_tool_assistant: str | None = msgspec.field(default=None, name="sourceToolAssistantUUID")
    source_tool_assistant_snake: str | None = msgspec.field(
        default=None, name="source_tool_assistant_uuid"
    )
    request_id: str | None = None
    request_id_snake: str | None = msgspec.field(default=None, name="request_id")
    prompt_id: str | None = None
    prompt_id_snake: str | None = msgspec.field(default=None, name="prompt_id")
    entrypoint: str | None = None
    version: str | None = None
    claude_version: str | None = msgspec.field(default=None, name="claude_version")
    user_type: str | None = None
    user_type_snake: str | None = msgspec.field(default=None, name="user_type")
    permission_mode: str | None = None
    permission_mode_snake: str | None = msgspec.field(default=None, name="permission_mode")
    is_sidechain: bool | None = None
    agent_id: str | None = None
    agent_id_snake: str | None = msgspec.field(default=None, name="agent_id")
    attachment: dict[str, Any] | None = None
    hook_event: str | None = None
    is_compact_summary: bool | None = None
    compact_metadata: Any = None
    compact_metadata_snake: Any = msgspec.field(default=None, name="compact_metadata")
    tool_use_result: Any = msgspec.UNSET


class RaggedLine(Line):
    """A line whose text held lone surrogates: they are replaced, and this is what they were in."""

    raw_content: Any = None


_decode = msgspec.json.Decoder(Line).decode
_EXPECTED: Mapping[Any, type] = {str | None: str, bool | None: bool, dict[str, Any] | None: dict}
_TYPES: Mapping[str, type] = {
    field.encode_name: _EXPECTED[field.type]
    for field in msgspec.structs.fields(Line)
    if field.type in _EXPECTED
}


class _MessageHead(msgspec.Struct):
    role: Any = None
    id: Any = None


class _Head(msgspec.Struct, rename="camel"):
    """What of a line says to which session it belongs, and where in it."""

    session_id: str | None = None
    type: str | None = None
    message: _MessageHead | None = None
    uuid: str | None = None
    message_id: str | None = None
    timestamp: Any = None
    cwd: str | None = None
    entrypoint: str | None = None
    version: str | None = None
    claude_version: str | None = msgspec.field(default=None, name="claude_version")


_decode_head = msgspec.json.Decoder(_Head).decode


def parse_head(data: bytes) -> Line | None:
    """Decode as much of a line as its session is drafted from: a fraction of the work.

    For a line that is decoded again as a whole before anything is made of it. None and
    ``ValueError`` are as with ``parse_line``, but that nothing is too deep yet.
    """
    try:
        head = _decode_head(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return parse_line(data)
    if not head.uuid:  # then what it says may count
        return parse_line(data)
    message = head.message
    return Line(
        head.session_id,
        head.type,
        None,
        None if message is None else {"role": message.role, "id": message.id},
        head.uuid,
        head.message_id,
        head.timestamp,
        head.cwd,
        entrypoint=head.entrypoint,
        version=head.version,
        claude_version=head.claude_version,
    )


def parse_line(data: bytes) -> Line | None:
    """Decode one line; None when it is JSON but no object. Raises ``ValueError``."""
    try:
        line = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Also a field of the wrong type: that is a DecodeError too.
        value = decode_lenient(data)
        if is_too_deep(value):
            raise ValueError("nested too deeply") from None
        return _convert(value) if isinstance(value, dict) else None
    # Each level costs a bracket, so that only lines with many are looked at again.
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and is_too_deep(
        [getattr(line, field) for field in line.__struct_fields__]
    ):
        raise ValueError("nested too deeply")
    return line


def _convert(value: dict[str, Any]) -> Line:
    clean = scrub(value)
    for name, expected in _TYPES.items():
        if not isinstance(clean.get(name), expected):
            clean.pop(name, None)
    message, clean_message = value.get("message"), clean.get("message")
    if (
        message is None
        or clean_message is None
        or message.get("content") == clean_message.get("content")
    ):
        return msgspec.convert(clean, Line)
    line = msgspec.convert(clean, RaggedLine)
    line.raw_content = message.get("content")
    return line
