"""How a text for a terminal is made: every string in it is cleaned and clamped (status 27)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    Styled: TypeAlias = Callable[[str, str], str]

LABEL_LIMIT = 120
TEXT_LIMIT = 400

_STYLES = {
    **dict.fromkeys(("healthy", "running", "converged", "done", "exported"), "green"),
    **dict.fromkeys(("failed", "refused", "degraded", "unresponsive", "rolled_back"), "red"),
    **dict.fromkeys(
        ("blocked", "partial", "restarting", "stopped", "on_trial", "applying", "stale_poll"),
        "yellow",
    ),
    **dict.fromkeys(("n/a", "never"), "dim"),
}


def plain(text: str, _style: str) -> str:
    """Leave a text as it is: the style of whatever is no terminal."""
    return text


def in_state(text: str, state: object, styled: Styled) -> str:
    """Return a text as what it says of a state calls for; a state that is not known is plain."""
    style = _STYLES.get(state) if isinstance(state, str) else None
    return text if style is None else styled(text, style)


def clean(value: object, limit: int = LABEL_LIMIT) -> str:
    """Return ``value`` as one short line that cannot do anything to a terminal.

    White space is folded; control characters, direction overrides, lone surrogates and the like
    are not printable and go.
    """
    folded = " ".join(str(value).split())
    text = "".join(char for char in folded if char.isprintable())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def label(value: object) -> str:
    """Return a short text for a field; what is null is unknown."""
    return "unknown" if value is None else clean(value, LABEL_LIMIT)


def aside(facts: Iterable[str], styled: Styled) -> str:
    """Return facts in brackets, as what is read second; nothing for none."""
    text = ", ".join(facts)
    return styled(f"({text})", "dim") if text else ""
