"""One content block of a message -> the columns that depend on it (import §6.4)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from hypactors.providers._json import to_json

_PART_TYPES = {
    "text": "text",
    "thinking": "reasoning",
    "redacted_thinking": "reasoning",
    "tool_use": "tool_call",
    "server_tool_use": "tool_call",
    "tool_result": "tool_result",
    "web_search_tool_result": "tool_result",
    "image": "image",
    "document": "file",
    "file": "file",
    "error": "error",
}
_CALLS = frozenset({"tool_use", "server_tool_use"})
_RESULTS = frozenset({"tool_result", "web_search_tool_result"})
_DATA_URL = re.compile(r"data:([^\s,]{0,255}?);base64,[A-Za-z0-9+/=_-]+")


class Part(msgspec.Struct, frozen=True, gc=False):
    """The columns of one block. The call ids of results are not resolved to a name yet."""

    part_type: str
    block_type: str | None = None
    content_text: str | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    tool_args: str | None = None
    caller_type: str | None = None
    tool_result_for: str | None = None
    thinking_signature: str | None = None
    is_error: bool | None = None
    status: str | None = None


def text_or_none(value: Any) -> str | None:
    """Return ``value`` when it is a non-empty string."""
    return value if isinstance(value, str) and value else None


def blocks_of(content: Any) -> list[Any]:
    """Return the blocks of a message's content; empty when there is nothing in it."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content if isinstance(content, list) else []


def part_of(block: Any) -> Part:
    """Derive the columns of one block; anything that is not an object is an empty text."""
    if not isinstance(block, dict):
        return Part("text")
    kind = text_or_none(block.get("type"))
    if kind == "text" and "caller" not in block and "is_error" not in block:
        return Part("text", kind, _content_text(kind, block))
    is_call = kind in _CALLS
    is_result = kind in _RESULTS
    call_id = text_or_none(block.get("id")) if is_call else None
    if is_result:
        call_id = text_or_none(block.get("tool_use_id"))
    arguments = block.get("input") if is_call else None
    caller = block.get("caller")
    is_error = block.get("is_error") is True
    return Part(
        part_type="text" if kind is None else _PART_TYPES.get(kind, kind),
        block_type=kind,
        content_text=_content_text(kind, block),
        tool_name=text_or_none(block.get("name")) if is_call else None,
        tool_call_id=call_id,
        tool_args=None if arguments is None else to_json(arguments),
        caller_type=text_or_none(caller.get("type")) if isinstance(caller, dict) else None,
        tool_result_for=call_id if is_result else None,
        thinking_signature=(
            text_or_none(block.get("signature"))
            if kind in {"thinking", "redacted_thinking"}
            else None
        ),
        is_error=True if is_error else None,
        status=_status(kind, block, is_error=is_error),
    )


def _content_text(kind: str | None, block: dict[str, Any]) -> str | None:
    text: str | None
    if kind == "text":
        text = text_or_none(block.get("text"))
    elif kind == "thinking":
        text = text_or_none(block.get("thinking"))
    elif kind == "redacted_thinking":
        text = text_or_none(block.get("data"))
    elif kind in _RESULTS:
        text = _result_text(block.get("content"))
    elif kind == "error":
        text = text_or_none(block.get("message")) or text_or_none(block.get("text"))
    else:
        text = None
    if text is not None and ";base64," in text:
        return _DATA_URL.sub(_without_payload, text)
    return text


def _result_text(content: Any) -> str | None:
    # The one text that may be empty and still be one.
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [item.get("text") for item in content if isinstance(item, dict)]
    return "\n".join(text for text in texts if isinstance(text, str)) or None


def _without_payload(match: re.Match[str]) -> str:
    return f"data:{match[1] or 'application/octet-stream'};base64,<stripped>"


def _status(kind: str | None, block: dict[str, Any], *, is_error: bool) -> str | None:
    if kind in _RESULTS:
        return '{"tool_status":"error"}' if is_error else '{"tool_status":"success"}'
    if kind != "error":
        return None
    status = {
        "error_code": block.get("error_code") or block.get("code"),
        "error_message": text_or_none(block.get("message")) or text_or_none(block.get("text")),
    }
    present = {key: value for key, value in status.items() if value is not None}
    return to_json(present) if present else None
