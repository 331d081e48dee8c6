"""What the control folder says beside the layers: active slot, etag in force, probation.

Reading is tolerant: what cannot be read counts as absent, and ``problem`` says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from hypactors.files import read_if_present, write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.paths import HypHome

Slot = Literal["a", "b"]
_SLOTS: tuple[Slot, ...] = ("a", "b")


@dataclass(frozen=True, slots=True)
class Probation:
    """The config with this etag is on trial until a poll succeeds or ``until`` has passed."""

    etag: str
    applied_at: str | None
    until: str | None
    slot: str | None
    previous_slot: str | None


@dataclass(frozen=True, slots=True)
class BadEtag:
    """The newest revision that was refused or rolled back."""

    etag: str
    reason: str | None
    recorded_at: str | None


@dataclass(frozen=True, slots=True)
class Rollback:
    """The last time a config was taken back."""

    etag: str
    reason: str | None
    at: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class ControlState:
    """The content of ``state.json``. Times are the strings that are in the file."""

    probation: Probation | None = None
    bad_etag: BadEtag | None = None
    last_rollback: Rollback | None = None
    problem: str | None = None


def read_control_state(home: HypHome) -> ControlState:
    """Read ``state.json``. It never raises and needs no daemon (config-control 32)."""
    try:
        raw = read_if_present(home.state_file)
        fields = _fields(raw) if raw is not None else {}
    except (OSError, ValueError, RecursionError) as error:
        problem = f"{home.state_file}: cannot be used ({_why(error)}); taken as empty"
        return ControlState(problem=problem)
    return ControlState(
        probation=_probation(fields.get("probation")),
        bad_etag=_bad_etag(fields.get("bad_etag")),
        last_rollback=_rollback(fields.get("last_rollback")),
    )


def clear_probation(home: HypHome) -> str | None:
    """Remove the probation marker, durably, and return its etag; None when there is none.

    Every other field stays as it is written in the file, known here or not. Raises ``OSError``
    when the file cannot be read or replaced: then the marker is still there.
    """
    raw = read_if_present(home.state_file)
    try:
        fields = _fields(raw) if raw is not None else {}
    except (ValueError, RecursionError):
        return None
    probation = _probation(fields.pop("probation", None))
    if probation is None:
        return None
    content = msgspec.json.format(msgspec.json.encode(fields), indent=2)
    write_atomic(home.state_file, content + b"\n")
    return probation.etag


def active_slot(home: HypHome) -> Slot | None:
    """Return the slot that ``active`` links to.

    Only a link to exactly one of the two slot files counts, whether that file is there or not.
    """
    try:
        target = home.active_link.readlink()
    except OSError:
        return None
    resolved = os.path.normpath(home.control_dir / target)
    for slot in _SLOTS:
        if resolved == os.path.normpath(home.slot_file(slot)):
            return slot
    return None


def running_etag(home: HypHome) -> str | None:
    """Return the etag of the active slot. The bytes of a seed have none."""
    slot = active_slot(home)
    if slot is None:
        return None
    try:
        text = home.slot_etag_file(slot).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return text.strip() or None


def _fields(raw: bytes) -> dict[str, msgspec.Raw]:
    """Split the object without decoding its values, so that a rewrite keeps them as they are."""
    return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])


def _probation(raw: msgspec.Raw | None) -> Probation | None:
    record = _record(raw)
    if record is None:
        return None
    return Probation(
        etag=record["etag"],
        applied_at=_text(record, "applied_at"),
        until=_text(record, "until"),
        slot=_text(record, "slot"),
        previous_slot=_text(record, "previous_slot"),
    )


def _bad_etag(raw: msgspec.Raw | None) -> BadEtag | None:
    record = _record(raw)
    if record is None:
        return None
    return BadEtag(record["etag"], _text(record, "reason"), _text(record, "recorded_at"))


def _rollback(raw: msgspec.Raw | None) -> Rollback | None:
    record = _record(raw)
    if record is None:
        return None
    reason, at = _text(record, "reason"), _text(record, "at")
    return Rollback(record["etag"], reason, at, _text(record, "detail"))


def _record(raw: msgspec.Raw | None) -> Mapping[str, Any] | None:
    """Return the object in ``raw`` when it names an etag; all the rest counts as absent."""
    if raw is None:
        return None
    try:
        value: Any = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and isinstance(value.get("etag"), str) and value["etag"]:
        return value
    return None


def _text(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    return value if isinstance(value, str) else None


def _why(error: BaseException) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
