"""Read one transcript line by line, whatever is in it (import §4)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from hypactors.providers._findings import Finding
from hypactors.providers._json import MAX_DEPTH, decode_lenient, is_too_deep, scrub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hypactors.providers._findings import Findings

# A line is held whole, as bytes, as text and once more as a column. Tool output of 50 MB happens;
# this much of it keeps an import below its memory ceiling.
MAX_LINE_BYTES = 128 * 1024 * 1024
_SKIP_BYTES = 1 << 20


class Line(msgspec.Struct, rename="camel"):
    """The fields of a line that an import uses, unchecked; the others are not even decoded."""

    session_id: Any = None
    type: Any = None
    subtype: Any = None
    message: Any = None
    uuid: Any = None
    message_id: Any = None
    timestamp: Any = None
    cwd: Any = None
    parent_uuid: Any = None
    parent_uuid_snake: Any = msgspec.field(default=None, name="parent_uuid")
    logical_parent_uuid: Any = None
    logical_parent_uuid_snake: Any = msgspec.field(default=None, name="logical_parent_uuid")
    source_tool_assistant: Any = msgspec.field(default=None, name="sourceToolAssistantUUID")
    source_tool_assistant_snake: Any = msgspec.field(
        default=None, name="source_tool_assistant_uuid"
    )
    request_id: Any = None
    request_id_snake: Any = msgspec.field(default=None, name="request_id")
    prompt_id: Any = None
    prompt_id_snake: Any = msgspec.field(default=None, name="prompt_id")
    entrypoint: Any = None
    version: Any = None
    claude_version: Any = msgspec.field(default=None, name="claude_version")
    user_type: Any = None
    user_type_snake: Any = msgspec.field(default=None, name="user_type")
    permission_mode: Any = None
    permission_mode_snake: Any = msgspec.field(default=None, name="permission_mode")
    is_sidechain: Any = None
    agent_id: Any = None
    agent_id_snake: Any = msgspec.field(default=None, name="agent_id")
    attachment: Any = None
    hook_event: Any = None
    is_compact_summary: Any = None
    compact_metadata: Any = None
    compact_metadata_snake: Any = msgspec.field(default=None, name="compact_metadata")
    tool_use_result: Any = msgspec.UNSET


class RaggedLine(Line):
    """A line whose text held lone surrogates: they are replaced, and this is what they were in."""

    raw_content: Any = None


_decode = msgspec.json.Decoder(Line).decode


def read_lines(path: Path, findings: Findings) -> Iterator[Line]:
    """Yield the lines of a transcript that are JSON objects; what is not JSON is a finding.

    A file that cannot be opened yields nothing; an error midway ends it after what was read.
    """
    name = str(path)
    try:
        with _open_regular(path) as stream:
            for data in _raw_lines(stream, name, findings):
                try:
                    line = parse_line(data)
                except ValueError:
                    findings.add(Finding.UNPARSEABLE_LINE, name)
                    continue
                if line is not None:
                    yield line
    except OSError as error:
        findings.add(Finding.UNREADABLE_FILE, name, error.strerror or str(error))


def _open_regular(path: Path) -> BinaryIO:
    """Open a file, but never a link or a pipe that took its place since it was listed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return open(descriptor, "rb", buffering=1 << 18)  # noqa: PTH123 - a descriptor; the caller closes


def _raw_lines(stream: BinaryIO, name: str, findings: Findings) -> Iterator[bytes]:
    while data := stream.readline(MAX_LINE_BYTES + 1):
        if len(data) > MAX_LINE_BYTES and not data.endswith(b"\n"):
            findings.add(Finding.OVERSIZED_LINE, name)
            del data
            while (rest := stream.readline(_SKIP_BYTES)) and not rest.endswith(b"\n"):
                pass
            continue
        if not data.isspace():
            yield data


def parse_line(data: bytes) -> Line | None:
    """Decode one line; None when it is JSON but no object. Raises ``ValueError``."""
    try:
        line = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
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
    message, clean_message = value.get("message"), clean.get("message")
    if not isinstance(message, dict) or message.get("content") == clean_message.get("content"):
        return msgspec.convert(clean, Line)
    line = msgspec.convert(clean, RaggedLine)
    line.raw_content = message.get("content")
    return line
