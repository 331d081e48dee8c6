"""The lines of one file -> one exchange for each session in it (import §4)."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hypactors.providers._protocol import Exchange
from hypactors.providers._remote import redact_remote
from hypactors.providers._time import parse_time_ms
from hypactors.providers.claude._context import match_record
from hypactors.providers.claude._entries import api_id_of, is_entry, message_of, role_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hypactors.providers._protocol import Message, Window
    from hypactors.providers.claude._context import ContextRecord
    from hypactors.providers.claude._git import Repository
    from hypactors.providers.claude._lines import Line
    from hypactors.providers.claude._transcript import Transcript

CLIENT = "claude"

# What has no time comes last, in the order of the file.
_NO_TIME: Final = 2**62
_NOWHERE: Final = (_NO_TIME, 2**62)


@dataclass(frozen=True, slots=True)
class Owner:
    """The client that a launch surface belongs to, and the plugin that has to be configured."""

    client: str
    plugin: str


# Sessions of these entrypoints lie among ours but are another client's (import §4.4).
OWNERS: Mapping[str, Owner] = {
    "claude-desktop": Owner("claude-desktop", "@hypaware/claude-desktop"),
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of a session beside its lines."""

    window: Window
    records: Sequence[ContextRecord]
    spawning_calls: Mapping[str, str]
    is_configured: Callable[[str], bool]
    needs_plugin: Callable[[str], None]
    repository: Callable[[str], Repository]


@dataclass(frozen=True, slots=True)
class _Earliest:
    """The value of the earliest line that has one; a place is its time and its number."""

    place: tuple[int, int] = _NOWHERE
    value: str | None = None


@dataclass(slots=True)
class SessionDraft:
    """What one file says of one session, before its messages are made: some 30 bytes a line."""

    first: tuple[int, int] = _NOWHERE
    entrypoint: _Earliest = _Earliest()
    cwd: _Earliest = _Earliest()
    client_version: _Earliest = _Earliest()
    started_ms: int | None = None
    _numbers: array[int] = field(default_factory=lambda: array("L"))
    _times: array[int] = field(default_factory=lambda: array("q"))
    _is_carrier: bytearray = field(default_factory=bytearray)
    _is_ordered: bool = True
    # By the hash of the response's id, the place in the arrays: a long file has many responses.
    _last_of_response: dict[int, int] = field(default_factory=dict)

    def add(
        self, number: int, line: Line, role: str | None, api_id: str | None, window: Window
    ) -> None:
        moment = parse_time_ms(line.timestamp)
        place = (_NO_TIME if moment is None else moment, number)
        self.first = min(self.first, place)
        if line.entrypoint and place < self.entrypoint.place:
            self.entrypoint = _Earliest(place, line.entrypoint)
        if not window.keeps(moment):
            return
        if line.cwd and place < self.cwd.place:
            self.cwd = _Earliest(place, line.cwd)
        if role is None:
            return
        if place < self.client_version.place and (version := line.version or line.claude_version):
            self.client_version = _Earliest(place, version)
        if moment is not None and (self.started_ms is None or moment < self.started_ms):
            self.started_ms = moment
        if self._times and place[0] < self._times[-1]:
            self._is_ordered = False
        self._numbers.append(number)
        self._times.append(place[0])
        self._is_carrier.append(api_id is None)
        if api_id is not None:
            last = self._last_of_response.get(hash(api_id))
            if last is None or place >= (self._times[last], self._numbers[last]):
                self._last_of_response[hash(api_id)] = len(self._times) - 1

    def __bool__(self) -> bool:
        """Whether there is any message to make."""
        return bool(self._numbers)

    def finish(self) -> None:
        """Say that the last line was added: of each response, the last line carries the usage."""
        for index in self._last_of_response.values():
            self._is_carrier[index] = True
        self._last_of_response.clear()

    def places(self) -> Iterator[tuple[int, int | None, bool]]:
        """Yield number and time of the lines that make messages, in their order.

        And with each, whether the usage that the client repeats on every line of a response counts
        on this one.
        """
        times, numbers, carriers = self._times, self._numbers, self._is_carrier
        order: Sequence[int] = range(len(times))
        if not self._is_ordered:
            order = sorted(order, key=times.__getitem__)
        for index in order:
            moment = times[index]
            yield numbers[index], None if moment == _NO_TIME else moment, bool(carriers[index])


def draft_sessions(transcript: Transcript, window: Window) -> dict[str, SessionDraft]:
    """Read a file once; its sessions come in the order of their first lines."""
    drafts: dict[str, SessionDraft] = {}
    for number, line in enumerate(transcript.lines()):
        session_id = line.session_id
        if not session_id:
            continue
        role, api_id = role_of(line), api_id_of(line)
        if is_entry(line, role, api_id):
            draft = drafts.get(session_id)
            if draft is None:
                draft = drafts[session_id] = SessionDraft()
            draft.add(number, line, role, api_id, window)
    return dict(sorted(drafts.items(), key=lambda item: item[1].first))


def client_of(draft: SessionDraft, surroundings: Surroundings) -> str | None:
    """Return the client under whose name a session is imported; None: not by us."""
    owner = OWNERS.get(draft.entrypoint.value or "")
    if owner is None:
        return CLIENT
    if surroundings.is_configured(owner.plugin):
        return owner.client
    surroundings.needs_plugin(owner.plugin)
    return None


def exchange_of(
    session_id: str,
    draft: SessionDraft,
    transcript: Transcript,
    path: str,
    surroundings: Surroundings,
) -> Exchange | None:
    """Return the exchange of one session, or None when nothing of it is imported."""
    client = client_of(draft, surroundings)
    if client is None or not draft:
        return None
    record = match_record(surroundings.records, path=path, session_id=session_id)
    cwd = record.cwd or draft.cwd.value
    remote, root = record.git_remote, record.repo_root
    if remote is not None:
        remote = redact_remote(remote)
    elif cwd is not None:
        derived = surroundings.repository(cwd)
        remote = derived.remote
        root = root or derived.root
    draft.finish()
    messages = _messages(draft, transcript, surroundings.spawning_calls)
    return Exchange(
        provider="anthropic",
        session_id=session_id,
        client_name=client,
        conversation_source=client,
        conversation_started_ms=draft.started_ms,
        client_version=draft.client_version.value,
        cwd=cwd,
        git_branch=record.git_branch,
        git_remote=remote,
        head_sha=record.head_sha,
        repo_root=root,
        source_path=path,
        native_id=session_id,
        messages=list(messages) if transcript.is_held else messages,
    )


def _messages(
    draft: SessionDraft, transcript: Transcript, calls: Mapping[str, str]
) -> Iterator[Message]:
    for number, moment, is_carrier in draft.places():
        line = transcript.line(number)
        role = None if line is None else role_of(line)
        if line is not None and role is not None:
            yield message_of(line, role, moment, is_usage_carrier=is_carrier, calls=calls)
