"""How a word that nobody knows is answered, wherever it stands on the command line."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def no_such(what: str, word: str, known: Iterable[str], *, of: str) -> str:
    """Say that ``word`` is none of what ``of`` knows, and which may have been meant.

    Dashes do not count: what two options have in common is in the letters behind them.
    """
    bare = {name.lstrip("-"): name for name in known}
    meant = get_close_matches(word.lstrip("-"), bare, n=1)
    hint = f"did you mean '{of} {bare[meant[0]]}'?" if meant else f"'{of} --help' lists them"
    return f"no such {what}: {word!r}; {hint}"
