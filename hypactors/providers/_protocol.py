"""What a provider of history is, and the values it hands over.

A provider finds one client's history on this machine. It turns every session into one
``Exchange``: header fields and the messages in order. How an exchange becomes rows is the same for
all providers and lives in ``_expand``. Times are milliseconds since 1970 in UTC; None is "absent".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hypactors.config import SectionError
    from hypactors.paths import HypHome
    from hypactors.providers._findings import Findings


@dataclass(frozen=True, slots=True)
class Window:
    """The span of time that is imported, both ends included (import §3)."""

    since_ms: int | None = None
    until_ms: int | None = None

    def keeps(self, moment_ms: int | None) -> bool:
        """Say whether something of this time belongs; what has no time always does."""
        if moment_ms is None:
            return True
        if self.since_ms is not None and moment_ms < self.since_ms:
            return False
        return self.until_ms is None or moment_ms <= self.until_ms


# Structs, not dataclasses: an import makes one Message for each line of a transcript, and a frozen
# dataclass of this width takes ten times as long to make.
class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message as the client wrote it. What is set here wins over the exchange."""

    role: str | None
    content: Any
    message_id: str | None = None
    message_created_ms: int | None = None
    provider_uuid: str | None = None
    parent_uuid: str | None = None
    logical_parent_uuid: str | None = None
    source_tool_assistant_uuid: str | None = None
    request_id: str | None = None
    prompt_id: str | None = None
    provider: str | None = None
    provider_type: str | None = None
    provider_subtype: str | None = None
    model: str | None = None
    entrypoint: str | None = None
    user_type: str | None = None
    permission_mode: str | None = None
    is_sidechain: bool | None = None
    agent_id: str | None = None
    parent_thread_id: str | None = None
    attachment_type: str | None = None
    hook_event: str | None = None
    is_compact_summary: bool | None = None
    compact_metadata: Any = None
    attributes: Mapping[str, Any] | None = None
    raw_frame: Mapping[str, Any] | bytes | None = None
    """Bytes are JSON already: compact, and with its numbers as the other client prints them."""
    hashed_content: Any = None
    """The content before lone surrogates were replaced, when there were any: a fallback identity
    hashes what the client wrote (import §6.2)."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One session, or one thread of it: the unit that the counters of an import count."""

    provider: str | None
    session_id: str | None
    client_name: str | None
    messages: Iterable[Message]
    """In order, and perhaps made while they are taken: a session can be larger than memory."""
    source_path: str
    native_id: str
    conversation_id: str | None = None
    conversation_source: str | None = None
    conversation_started_ms: int | None = None
    client_version: str | None = None
    cwd: str | None = None
    git_branch: str | None = None
    git_remote: str | None = None
    head_sha: str | None = None
    repo_root: str | None = None
    model: str | None = None
    entrypoint: str | None = None
    user_type: str | None = None
    permission_mode: str | None = None
    is_sidechain: bool | None = None
    parent_thread_id: str | None = None
    attributes: Mapping[str, Any] | None = None


def _unheard(_plugin: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class ScanContext:
    """What one run gives a provider: nothing else of the machine is read."""

    window: Window
    environ: Mapping[str, str]
    home: HypHome
    is_configured: Callable[[str], bool]
    """Says of a plugin's name whether the config enables it."""
    findings: Findings
    """Takes what could not be read: counted and logged, never fatal."""
    needs_plugin: Callable[[str], None] = _unheard
    """Told the plugin without which something of the file that is read now is left out: such a
    file is read again once the config enables it."""


class Scan(Protocol):
    """One provider's look at the disk, for one run."""

    @property
    def sources(self) -> Sequence[Path]:
        """The files that hold sessions, in an order that does not change while they do not."""
        ...

    def exchanges(self, source: Path, /) -> Iterator[Exchange]:
        """Yield the sessions of one file. What cannot be read becomes a finding."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that whoever reads the log should know: history that cannot be read, for one."""

    event: str
    attributes: Mapping[str, str]


class NoticingScan(Scan, Protocol):
    """A scan that has something to say besides its sessions; it is logged once for each run."""

    @property
    def notices(self) -> Sequence[Notice]: ...


class Provider(Protocol):
    """One client's history. Found by the entry point group ``hypactors.providers``.

    ``plugin`` is the name under which a config enables it and ``name`` the one that a person types;
    ``datasets`` are where its rows go. ``hypactors.providers.testing`` checks the promises below.
    """

    name: str
    plugin: str
    datasets: tuple[str, ...]
    summary: str

    def scan(self, context: ScanContext, /) -> Scan:
        """Find the files. Same files and window: same exchanges, in the same order."""
        ...


class ValidatingProvider(Provider, Protocol):
    """A provider whose plugin has rules for its own ``config`` in a config document."""

    def validate_config(self, config: Mapping[str, Any], /) -> Iterable[SectionError]:
        """Return what is wrong in it; pointers are relative to ``config``.

        Called for disabled entries too, with an empty mapping where a document has no ``config``.
        """
        ...


class ProbingProvider(Provider, Protocol):
    """A provider that can say cheaply whether there is anything to import.

    An import that found no file is made again when there is: at the earliest an hour later, or once
    a day without this method.
    """

    def has_history(self, environ: Mapping[str, str], /) -> bool:
        """Say it without opening a file: called in the daemon, on each pass of such a machine."""
        ...


class PlanningProvider(Provider, Protocol):
    """A provider that can tell beforehand what an import would do."""

    def plan(self, context: ScanContext, /) -> Mapping[str, Any]:
        """Return JSON values for ``hyp backfill plan``. Nothing may be written."""
        ...
