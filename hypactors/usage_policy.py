"""What may become of history about a folder: imported and sent, kept here, or not even read.

The nearest ``.hypignore`` of the folder and the machine's own list decide; the stricter word wins
(import §11, central §4.3).
"""

from __future__ import annotations

import enum
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from hypactors.errors import HypError
from hypactors.files import read_if_present

if TYPE_CHECKING:
    from hypactors.paths import HypHome

IGNORE_FILE = ".hypignore"


class PolicyError(HypError):
    """It cannot be told what must stay here, and so nothing may leave."""


class Usage(enum.IntEnum):
    """From the most to the least that may be done; of two words the larger counts."""

    FULL = 0
    LOCAL_ONLY = 1
    IGNORE = 2


_WORDS = {"full": Usage.FULL, "local-only": Usage.LOCAL_ONLY, "ignore": Usage.IGNORE}


class UsagePolicy:
    """Says of a folder what may become of rows about it. Remembers what it was asked."""

    def __init__(self, local_only: frozenset[str] = frozenset()) -> None:
        self._local_only = local_only
        self._answers: dict[str, Usage] = {}
        self._said: dict[Path, Usage | None] = {}
        self.odd_files: dict[str, str] = {}
        """Each ``.hypignore`` that could not be read or says what nobody knows, and why."""

    @classmethod
    def load(cls, home: HypHome) -> Self:
        """Read the machine's list. Raises ``PolicyError`` when it is there and cannot be used."""
        listed = local_only_dirs(home)
        return cls(frozenset(spelling for each in listed for spelling in _spellings(each)))

    def usage_of(self, cwd: str | None) -> Usage:
        """Say what may become of rows of this folder; of rows of no folder, everything."""
        if not cwd or "\0" in cwd:
            return Usage.FULL
        answer = self._answers.get(cwd)
        if answer is None:
            answer = self._answers[cwd] = max(map(self._look, _spellings(cwd)))
        return answer

    def is_ignored(self, cwd: str | None) -> bool:
        """Say whether rows of this folder are not even imported."""
        return self.usage_of(cwd) is Usage.IGNORE

    def is_withheld(self, cwd: str | None) -> bool:
        """Say whether rows of this folder stay on this machine."""
        return self.usage_of(cwd) is not Usage.FULL

    def _look(self, spelling: str) -> Usage:
        folders = (Path(spelling), *Path(spelling).parents)
        listed = Usage.FULL
        if any(str(folder) in self._local_only for folder in folders):
            listed = Usage.LOCAL_ONLY
        said = (self._said_in(folder) for folder in folders)
        nearest = next((usage for usage in said if usage is not None), Usage.FULL)
        return max(listed, nearest)

    def _said_in(self, folder: Path) -> Usage | None:
        if folder not in self._said:
            self._said[folder] = self._read(folder / IGNORE_FILE)
        return self._said[folder]

    def _read(self, path: Path) -> Usage | None:
        """Return what this file says: nothing and what nobody knows mean that it is ignored."""
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None  # no folder of such a name can be, nor a file in it
            self.odd_files[str(path)] = error.strerror or str(error)
            return Usage.IGNORE
        words = {line.partition("#")[0].strip() for line in text.splitlines()} - {""}
        unknown = words - _WORDS.keys()
        if unknown:
            self.odd_files[str(path)] = f"unknown word: {min(unknown)!r}"
        return max((_WORDS.get(word, Usage.IGNORE) for word in words), default=Usage.IGNORE)


def local_only_dirs(home: HypHome) -> list[str]:
    """Return the folders of which nothing is sent, as they are listed.

    Raises ``PolicyError`` when the list is there and cannot be used.
    """
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
    return listed


def _spellings(folder: str) -> set[str]:
    """Return a folder as it was given and as it is without links."""
    given = os.path.normpath(os.path.expanduser(folder))  # noqa: PTH111 - never raises
    return {given, os.path.realpath(given)}
