"""A served document on its way in: everything that is asked of it before it may be tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from hypactors.config._document import DocumentError
from hypactors.config._shape import parse_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypactors.config._document import ConfigDocument

LARGEST_DOCUMENT_BYTES = 1024 * 1024

InstallErrorKind = Literal[
    "plugin_install_failed", "artifact_hash_mismatch", "bundled_version_mismatch"
]
StageErrorKind = (
    Literal[
        "restart_pending",
        "apply_engine_not_ready",
        "probation_active",
        "config_invalid",
        "document_too_large",
        "apply_io_error",
    ]
    | InstallErrorKind
)


class Complaint(Protocol):
    """One thing a validator has against a document (`ValidationError`, `ShapeError`)."""

    @property
    def pointer(self) -> str: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True, slots=True)
class InstallFailure:
    """A plugin that the document asks for cannot be had as it is pinned."""

    kind: InstallErrorKind
    message: str


@dataclass(frozen=True, slots=True)
class ApplyChecks:
    """What the daemon that runs here asks of a document.

    ``install`` comes first and sees to the plugins that are pinned, ``validate`` then judges the
    document by what is there.
    """

    install: Callable[[ConfigDocument], InstallFailure | None]
    validate: Callable[[ConfigDocument], Sequence[Complaint]]


@dataclass(frozen=True, slots=True)
class Served:
    """A document that may be tried, and the bytes that go into the slot."""

    document: ConfigDocument
    content: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a document may not be tried; with a ``ban_reason`` it is not looked at again."""

    kind: StageErrorKind
    message: str
    ban_reason: str | None = None


def examine(raw: bytes, checks: ApplyChecks) -> Served | Refusal:
    """Check a document in the order of config-control §4, rows 6 to 9.

    The slot keeps the document as it was served, with fields that are not known here, laid out
    anew. The size is that of the layout, and comes before the shape.
    """
    try:
        root: Any = msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        return _invalid("", f"is not JSON ({error})")
    content = msgspec.json.format(msgspec.json.encode(root), indent=2) + b"\n"
    if len(content) > LARGEST_DOCUMENT_BYTES:
        text = f"the document has {len(content)} bytes; at most {LARGEST_DOCUMENT_BYTES} are taken"
        return Refusal("document_too_large", text)
    try:
        document = parse_document(content)
    except DocumentError as error:
        return _invalid(error.errors[0].pointer, error.errors[0].message)
    failure = checks.install(document)
    if failure is not None:
        return Refusal(failure.kind, failure.message, ban_reason=failure.kind)
    for complaint in checks.validate(document):
        return _invalid(complaint.pointer, complaint.message)
    return Served(document, content)


def _invalid(pointer: str, message: str) -> Refusal:
    return Refusal("config_invalid", f"{pointer or '<root>'}: {message}", "validation_failed")
