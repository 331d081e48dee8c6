"""May this document be served? The checks that a client makes, and those of a server alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.config import DocumentError, RequestSink, parse_document, validate_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypactors.config import ConfigDocument, PluginCatalogue, SectionValidators

CENTRAL_PLUGIN = "@hypaware/central"
LARGEST_DOCUMENT = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason not to serve a document, and where (a JSON pointer)."""

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '<root>'}: {self.message}"


def name_fault(name: str) -> str | None:
    """Say why this is no name of a config; None when it is."""
    if _NAME.fullmatch(name):
        return None
    return "a config's name is up to 64 letters, digits, dots, dashes and underscores"


def objections(
    raw: bytes,
    *,
    public_url: str | None,
    plugins: PluginCatalogue,
    sections: SectionValidators,
) -> list[Objection]:
    """Return all that speaks against serving a document; nothing means that it may be served.

    ``public_url`` is the address under which clients know the server: a document that names
    another would take them to another fleet, or out of this one (central §6).
    """
    if len(raw) > LARGEST_DOCUMENT:
        return [Objection("", f"has {len(raw)} bytes; clients take at most {LARGEST_DOCUMENT}")]
    try:
        document = parse_document(raw)
    except DocumentError as error:
        return [Objection(each.pointer, each.message) for each in error.errors]
    errors = validate_document(document, plugins=plugins, sections=sections)
    return [
        *(Objection(each.pointer, each.message) for each in errors),
        *_of_a_server(document, public_url),
    ]


def _of_a_server(document: ConfigDocument, public_url: str | None) -> Iterator[Objection]:
    if document.query is not None:
        yield Objection("/query", "is each machine's own; clients ignore it in a served config")
    if not any(each.name == CENTRAL_PLUGIN and each.enabled for each in document.plugins):
        yield Objection(
            "/plugins", f"must enable {CENTRAL_PLUGIN}: without it a machine never polls again"
        )
    urls = [
        (sink.config or {}).get("url")
        for sink in document.sinks.values()
        if isinstance(sink, RequestSink) and sink.plugin == CENTRAL_PLUGIN
    ]
    if not urls:
        yield Objection(
            "/sinks", f"must hold a sink of {CENTRAL_PLUGIN} to this server, or nobody polls again"
        )
    elif public_url is not None and public_url not in urls:
        named = ", ".join(str(url) for url in urls)
        yield Objection(
            "/sinks",
            f"must name this server exactly as {public_url} (found: {named}); clients that"
            " joined under one address refuse another",
        )
