"""HTML as a tree: text goes in as text, so that no word of the data can be read as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Child = ET.Element | str | None

MAX_TEXT = 300


def element(
    tag: str, attributes: Mapping[str, object] | None = None, *children: Child
) -> ET.Element:
    """Return an element; children that are None are left out."""
    made = ET.Element(tag, {name: safe(str(value)) for name, value in (attributes or {}).items()})
    last: ET.Element | None = None
    for child in children:
        if isinstance(child, ET.Element):
            made.append(child)
            last = child
        elif child is not None and last is None:
            made.text = (made.text or "") + safe(child)
        elif child is not None and last is not None:
            last.tail = (last.tail or "") + safe(child)
    return made


def table(
    caption: str, header: Iterable[str], rows: Iterable[Iterable[Child]], *, texts: int = 1
) -> ET.Element:
    """Return a table that scrolls in itself; the first ``texts`` columns are words, not numbers."""

    def class_of(index: int) -> dict[str, str]:
        return {} if index < texts else {"class": "number"}

    head = element(
        "tr",
        None,
        *(
            element("th", {"scope": "col", **class_of(index)}, name)
            for index, name in enumerate(header)
        ),
    )
    body = [
        element(
            "tr",
            None,
            *(
                element("th", {"scope": "row"}, cell)
                if index == 0
                else element("td", class_of(index), cell)
                for index, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    # Whoever has no mouse can scroll only what can have the focus.
    return element(
        "div",
        {"class": "scroll", "role": "region", "aria-label": caption, "tabindex": "0"},
        element(
            "table",
            None,
            element("caption", None, caption),
            element("thead", None, head),
            element("tbody", None, *body),
        ),
    )


def safe(text: str) -> str:
    """Return what can be seen of a text, at most ``MAX_TEXT`` of it: no control characters."""
    shown = "".join(char for char in text[: MAX_TEXT + 1] if char.isprintable())
    return shown if len(shown) <= MAX_TEXT else f"{shown[: MAX_TEXT - 1]}…"


def document(root: ET.Element) -> bytes:
    """Return the file, in UTF-8."""
    html: bytes = ET.tostring(root, encoding="utf-8", method="html")
    return b"<!doctype html>\n" + html
