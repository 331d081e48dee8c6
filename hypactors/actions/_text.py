"""Text from elsewhere, made fit for a marker, a log line and a terminal."""

from __future__ import annotations

import re

MAX_REASON_CHARS = 300

# Enough to find any secret that reaches into the part that is kept; bounds the patterns' work.
_LOOKED_AT_CHARS = 4096

_ESCAPE_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# These change the direction in which a terminal shows the rest of the line.
_BIDI_CONTROLS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_GONE = "[redacted]"
_SECRETS = (
    (re.compile(r"(?i)\b(bearer|authorization:\s*\w{1,20})\s+[^\s\"',;]+"), rf"\1 {_GONE}"),
    (re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*){1,2}"), _GONE),
    (re.compile(r"\bsk-[\w-]{8,}"), _GONE),
    (
        re.compile(
            r"(?i)((?:token|secret|password|passwd|api[_-]?key)[\"']?\s{0,8}[=:]\s{0,8}[\"']?)"
            r"(?!bearer )[^\s\"'&,;]+"
        ),
        rf"\1{_GONE}",
    ),
    (re.compile(r"(?i)(--?(?:token|secret|password|api[_-]?key)\s+)[^\s\"']+"), rf"\1{_GONE}"),
    (re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^\s/?#]*@"), r"\1"),
)


def one_line(text: str, *, limit: int = MAX_REASON_CHARS) -> str:
    """Return ``text`` as one bounded line without control characters and without secrets."""
    text = _ESCAPE_SEQUENCES.sub("", text[:_LOOKED_AT_CHARS])
    text = " ".join(_BIDI_CONTROLS.sub("", _CONTROLS.sub(" ", text)).split())
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def describe_error(error: BaseException) -> str:
    """Return an exception's text as one line, or its name when it has none."""
    return one_line(str(error)) or type(error).__name__
