"""One item of a rollout -> what it says as blocks (import §5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hypactors.providers._blocks import text_or_none
from hypactors.providers._json import stringified
from hypactors.providers.codex._records import decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CALLS = frozenset({"function_call", "custom_tool_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_TEXT_KEYS = ("text", "input_text", "output_text")


class Item(NamedTuple):
    """What was said, by whom, and the id that the client gave it."""

    role: str
    blocks: list[dict[str, Any]]
    native_id: str | None
    type: str

    @property
    def may_carry_usage(self) -> bool:
        """Whether it is something that the model wrote, beside its thoughts."""
        return self.role == "assistant" and any(
            block["type"] in {"text", "tool_use"} for block in self.blocks
        )


def item_of(payload: Mapping[str, Any]) -> Item | None:
    """Return what an item says; None when it is of no kind that becomes a row."""
    kind = text_or_none(payload.get("type"))
    native_id = text_or_none(payload.get("id"))
    if kind == "message":
        blocks = [{"type": "text", "text": text} for text in _texts(payload.get("content"))]
        role = text_or_none(payload.get("role")) or "user"
        return Item(role, blocks, native_id, kind) if blocks else None
    if kind in _CALLS:
        block = _call(payload)
        return None if block is None else Item("assistant", [block], native_id, kind)
    if kind in _OUTPUTS:
        block = _output(payload)
        return None if block is None else Item("tool", [block], native_id, kind)
    if kind == "reasoning":
        text = _reasoning(payload.get("summary")) or _reasoning(payload.get("content"))
        block = {"type": "thinking", "thinking": text}
        return Item("assistant", [block], native_id, kind) if text else None
    return None


def _texts(content: Any) -> Iterator[str]:
    if not isinstance(content, list):
        content = [content] if isinstance(content, str) else []
    for element in content:
        text = text_or_none(element)
        if isinstance(element, dict):
            found = (text_or_none(element.get(key)) for key in _TEXT_KEYS)
            text = next(filter(None, found), None)
        if text is not None:
            yield text


def _call(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    call_id = text_or_none(payload.get("call_id")) or text_or_none(payload.get("id"))
    name = text_or_none(payload.get("name"))
    if call_id is None or name is None:
        return None
    given = payload["arguments"] if "arguments" in payload else payload.get("input")
    return {"type": "tool_use", "id": call_id, "name": name, "input": _parsed(given)}


def _parsed(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return decode(given)
    except ValueError:
        return given


def _output(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    call_id = text_or_none(payload.get("call_id")) or text_or_none(payload.get("id"))
    if call_id is None:
        return None
    block = {"type": "tool_result", "tool_use_id": call_id}
    output = payload.get("output")
    # An empty text is as good as none.
    return block if output in (None, "") else {**block, "content": _output_text(output)}


def _output_text(output: Any) -> str:
    if isinstance(output, str) and output:
        return output
    if isinstance(output, dict):
        found = (text_or_none(output.get(key)) for key in ("output", "content", "text"))
        text = next(filter(None, found), None)
        if text is not None:
            return text
    return stringified(output)


def _reasoning(value: Any) -> str:
    if isinstance(value, str):
        return value
    texts = []
    for element in value if isinstance(value, list) else []:
        text = text_or_none(element)
        if isinstance(element, dict):
            text = text_or_none(element.get("text")) or text_or_none(element.get("summary_text"))
        if text is not None:
            texts.append(text)
    return "\n".join(texts)
