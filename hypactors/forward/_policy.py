"""Which folders stay on this machine: rows about them are imported, and never sent (central §4.3).

The stricter word wins: of the machine's own list and of the nearest ``.hypignore``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hypactors.errors import HypError
from hypactors.files import read_if_present

if TYPE_CHECKING:
    from hypactors.paths import HypHome

_IGNORE_FILE = ".hypignore"
_FULL = "full"


class PolicyError(HypError):
    """It cannot be told what must stay here, and so nothing may leave."""


class Policy:
    """Says of a folder whether rows about it are withheld. Remembers what it was asked."""

    def __init__(self, local_only: frozenset[str]) -> None:
        self._local_only = local_only
        self._answers: dict[str, bool] = {}

    @classmethod
    def load(cls, home: HypHome) -> Policy:
        """Read the machine's list. Raises ``PolicyError`` when it is there and cannot be used."""
        path = home.local_only_file
        try:
            raw = read_if_present(path)
            listed: Any = [] if raw is None else msgspec.json.decode(raw)
        except (OSError, ValueError, RecursionError) as error:
            raise PolicyError(f"{path}: cannot be read, so nothing is sent ({error})") from error
        if isinstance(listed, dict):
            listed = listed.get("dirs")
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise PolicyError(f'{path}: must be {{"version": 1, "dirs": [...]}}; nothing is sent')
        return cls(frozenset(spelling for each in listed for spelling in _spellings(each)))

    def is_withheld(self, cwd: str | None) -> bool:
        """Say whether rows of this folder stay here. Rows of no folder go."""
        if not cwd:
            return False
        answer = self._answers.get(cwd)
        if answer is None:
            answer = self._answers[cwd] = self._look(cwd)
        return answer

    def _look(self, cwd: str) -> bool:
        return any(
            str(folder) in self._local_only or _says_stay(folder / _IGNORE_FILE)
            for spelling in _spellings(cwd)
            for folder in (Path(spelling), *Path(spelling).parents)
        )


def _spellings(folder: str) -> set[str]:
    """Return a folder as it was given and as it is without links."""
    given = os.path.normpath(Path(folder).expanduser())
    return {given, os.path.realpath(given)}


def _says_stay(path: Path) -> bool:
    """Say whether this file keeps its folder here: every word in it but ``full`` does."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # it is there, and what it says cannot be known
    words = {line.partition("#")[0].strip() for line in text.splitlines()} - {""}
    return words != {_FULL}
