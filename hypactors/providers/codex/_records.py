"""Read one rollout record by record, whatever is in it (import §5)."""

from __future__ import annotations

import codecs
import operator
import os
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from hypactors.providers._findings import Finding
from hypactors.providers._json import MAX_DEPTH, decode_lenient, is_too_deep
from hypactors.providers.files import MAX_LINE_BYTES, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hypactors.providers._findings import Findings

# Decoded, a record takes some three times its bytes.
HELD_BYTES = 2 * 1024 * 1024
_decode_any = msgspec.json.Decoder().decode


class Record(msgspec.Struct):
    """One line of a rollout. A payload that is no object is one nobody has a use for."""

    timestamp: Any = None
    type: Any = None
    payload: Any = None


_decode = msgspec.json.Decoder(Record).decode


class Rollout:
    """One open file; ``records`` can be read again and again, and is held when it is short.

    What is appended after the file was opened is left to the next import.
    """

    def __init__(self, stream: BinaryIO, name: str, findings: Findings) -> None:
        self._stream = stream
        self._name = name
        self._findings = findings
        self._size = os.fstat(stream.fileno()).st_size
        self._held: list[Record] | None = None
        self._is_first_time = True
        self.legacy = self._read_legacy()

    def records(self) -> Iterator[Record]:
        """Yield the lines that are JSON objects with a payload. Raises ``OSError``."""
        if self._held is None and self._size <= HELD_BYTES:
            self._held = list(self._read())
        return iter(self._held) if self._held is not None else self._read()

    def _read(self) -> Iterator[Record]:
        # What is wrong with a line is counted once, however often it is read.
        findings = self._findings if self._is_first_time else type(self._findings)()
        self._is_first_time = False
        for data in self._lines(findings):
            try:
                record = parse_record(data)
            except ValueError:
                findings.add(Finding.UNPARSEABLE_LINE, self._name)
                continue
            if record is not None and isinstance(record.payload, dict):
                yield record

    def _lines(self, findings: Findings) -> Iterator[bytes]:
        """Yield every line. An error midway ends the file after what was read."""
        try:
            self._stream.seek(0)
            # Nothing here holds on to a line: it may be a large part of all there is.
            lines = lines_of(self._stream, self._size, self._name, findings)
            yield from map(operator.itemgetter(1), lines)
        except OSError as error:
            # Told however often it happens: such a file is not taken as read.
            reason = error.strerror or str(error)
            self._findings.add(Finding.UNREADABLE_FILE, self._name, reason)

    def _read_legacy(self) -> LegacyDocument | None:
        """Return the document if the whole file is one: that is how early versions wrote them."""
        lines = self._lines(type(self._findings)())
        first = next(lines, b"")
        if not first.lstrip().startswith(b"{"):
            return None
        if _is_json(first) and next(lines, None) is not None:
            return None  # a second line: no single document
        del first
        if self._size > MAX_LINE_BYTES:
            return None
        self._stream.seek(0)
        try:
            return legacy_document(self._stream.read(self._size))
        except ValueError:
            return None


class LegacyDocument(msgspec.Struct, frozen=True):
    """``session`` is its header, ``items`` what would be the payloads of the records."""

    session: dict[str, Any]
    items: Sequence[dict[str, Any]]


def legacy_document(data: bytes) -> LegacyDocument | None:
    """Read a whole file as one document; None when it is another. Raises ``ValueError``."""
    value = decode(data)
    if not isinstance(value, dict) or not isinstance(value.get("items"), list):
        return None
    session = value.get("session")
    return LegacyDocument(
        session if isinstance(session, dict) else {},
        [item for item in value["items"] if isinstance(item, dict)],
    )


def parse_record(data: bytes) -> Record | None:
    """Decode one line; None when it is JSON but no object. Raises ``ValueError``.

    Its texts may hold lone surrogates.
    """
    try:
        record = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # To the other client a byte order mark is white space.
        value = decode(data.removeprefix(codecs.BOM_UTF8))
        if not isinstance(value, dict):
            return None
        return Record(value.get("timestamp"), value.get("type"), value.get("payload"))
    _refuse_deep(data, record.payload)
    return record


def decode(data: bytes | str) -> Any:
    """Decode JSON as the other client would. Raises ``ValueError``, also for what is too deep."""
    try:
        value = _decode_any(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = decode_lenient(data)
    _refuse_deep(data, value)
    return value


def _refuse_deep(data: bytes | str, value: Any) -> None:
    # Each level costs a bracket, so that only what has many is looked at.
    opened = (
        data.count("[") + data.count("{")
        if isinstance(data, str)
        else data.count(b"[") + data.count(b"{")
    )
    if opened > MAX_DEPTH and is_too_deep(value):
        raise ValueError("nested too deeply")


def _is_json(data: bytes) -> bool:
    try:
        decode(data)
    except ValueError:
        return False
    return True
