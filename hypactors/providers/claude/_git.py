"""Ask git where a folder's repository comes from, once for each folder (import §4.2)."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypactors.providers._remote import redact_remote

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_S = 2


@dataclass(frozen=True, slots=True)
class Repository:
    """What git said; None for what it did not."""

    remote: str | None = None
    root: str | None = None


class GitLookup:
    """Runs git in a folder at most once. A folder that is gone is not asked."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # A prompt for a password or a lock taken in somebody's repository would be a surprise.
        self._environ = {**environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        self._known: dict[str, Repository] = {}

    def repository(self, cwd: str) -> Repository:
        if cwd not in self._known:
            self._known[cwd] = self._ask(cwd)
        return self._known[cwd]

    def _ask(self, cwd: str) -> Repository:
        # A transcript may say anything: a relative folder would be one of ours.
        if "\0" in cwd or not Path(cwd).is_absolute() or not os.path.isdir(cwd):  # noqa: PTH112 - never raises
            return Repository()
        remote = self._git(cwd, "config", "--get", "remote.origin.url")
        return Repository(
            remote=None if remote is None else redact_remote(remote),
            root=self._git(cwd, "rev-parse", "--show-toplevel"),
        )

    def _git(self, cwd: str, *arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", cwd, *arguments],  # noqa: S607 - the user's own git
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.decode("utf-8", "replace").strip() or None
