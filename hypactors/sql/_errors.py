"""DuckDB's messages for a person."""

from __future__ import annotations

import re

_POSITION = re.compile(r"^LINE (\d+): ", re.MULTILINE)
_UNKNOWN = re.compile(r'(?:column|Table with name|Function with name) "?(\w+)"? ')


def one_line(message: str, sql: str = "") -> str:
    """Return DuckDB's message as one line, its drawing of the position put into words.

    Where it draws none, the name that it does not know is looked for in ``sql``.
    """
    match = _POSITION.search(message)
    if match is None:
        text = " ".join(message.split())
        unknown = _UNKNOWN.search(text)
        found = unknown and re.search(rf"\b{re.escape(unknown[1])}\b", sql)
        if not found:
            return text
        line = sql.count("\n", 0, found.start()) + 1
        return (
            f"{text} (line {line}, column {found.start() - sql.rfind(chr(10), 0, found.start())})"
        )
    text = " ".join(message[: match.start()].split())
    lines = message[match.start() :].split("\n")
    caret = lines[1].find("^") if len(lines) > 1 else -1
    # A long line is drawn cut, and then the caret tells nothing.
    if caret < 0 or lines[0][len(match[0]) :].startswith("..."):
        return f"{text} (line {match[1]})"
    return f"{text} (line {match[1]}, column {caret - len(match[0]) + 1})"
