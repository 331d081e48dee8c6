"""The content of ``state.json``: which config is on trial, and which are refused.

Another client may write the file too. What it holds that is not known here stays as it is
written there; a record that names no etag counts as absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

Slot = Literal["a", "b"]
SLOTS: tuple[Slot, ...] = ("a", "b")

Unknown = dict[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Probation:
    """The config with this etag is on trial until a poll succeeds or its window has run out.

    The last four are ours (contract §7). A marker of the other client has no ``window_s``, and
    ends at ``until`` on the wall clock. ``rollback_reason`` says that the trial is lost and
    the way back was begun.
    """

    etag: str
    applied_at: str | None
    until: str | None
    slot: str | None
    previous_slot: str | None
    window_s: float | None = None
    elapsed_s: float = 0.0
    boots: int = 0
    rollback_reason: str | None = None
    unknown: Unknown = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class BadEtag:
    """A revision that was refused or rolled back.

    ``tries`` counts how often. ``retry_after`` is how many seconds of successful polls must pass
    before it may be tried again: None is never, 0 is now.
    """

    etag: str
    reason: str | None
    recorded_at: str | None
    tries: int = 1
    retry_after: float | None = None
    unknown: Unknown = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_banned(self) -> bool:
        return self.retry_after is None or self.retry_after > 0


@dataclass(frozen=True, slots=True)
class Rollback:
    """The last time a config was taken back."""

    etag: str
    reason: str | None
    at: str | None
    detail: str | None
    unknown: Unknown = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ControlState:
    """The content of ``state.json``. Times are the strings that are in the file.

    ``bad_etag`` is the newest one, and all that the other client knows; ``bad_etags`` has the
    newest last. ``problem`` says why the file counts as empty.
    """

    probation: Probation | None = None
    bad_etag: BadEtag | None = None
    last_rollback: Rollback | None = None
    bad_etags: tuple[BadEtag, ...] = ()
    unknown: Unknown = field(default_factory=dict, repr=False, compare=False)
    problem: str | None = None


def decode_state(raw: bytes) -> ControlState:
    """Read ``state.json``. Raises ``ValueError`` or ``RecursionError`` when it is no object."""
    fields = msgspec.json.decode(raw, type=Unknown)
    return ControlState(
        probation=_probation(_record(fields.pop("probation", None))),
        bad_etag=_bad_etag(_record(fields.pop("bad_etag", None))),
        last_rollback=_rollback(_record(fields.pop("last_rollback", None))),
        bad_etags=_bad_etags(fields.pop("bad_etags", None)),
        unknown=fields,
    )


def encode_state(state: ControlState) -> bytes:
    """Return the file's content, in the layout of every file in the control folder."""
    fields: dict[str, Any] = dict(state.unknown)
    if state.probation is not None:
        fields["probation"] = _encode_probation(state.probation)
    if (bad := state.bad_etag) is not None:
        texts = _written(etag=bad.etag, reason=bad.reason, recorded_at=bad.recorded_at)
        fields["bad_etag"] = texts | bad.unknown
    if (last := state.last_rollback) is not None:
        texts = _written(etag=last.etag, reason=last.reason, at=last.at, detail=last.detail)
        fields["last_rollback"] = texts | last.unknown
    if state.bad_etags:
        fields["bad_etags"] = [
            _written(etag=bad.etag, reason=bad.reason, recorded_at=bad.recorded_at)
            | {"tries": bad.tries, "retry_after": bad.retry_after}
            | bad.unknown
            for bad in state.bad_etags
        ]
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def _encode_probation(trial: Probation) -> dict[str, Any]:
    record = _written(
        etag=trial.etag, applied_at=trial.applied_at, until=trial.until, slot=trial.slot
    )
    record["previous_slot"] = trial.previous_slot
    if trial.window_s is not None:
        record |= {"window_s": trial.window_s, "elapsed_s": trial.elapsed_s, "boots": trial.boots}
    record |= _written(rollback_reason=trial.rollback_reason)
    return record | trial.unknown


def _written(**texts: str | None) -> dict[str, Any]:
    """Return the fields that are there: what was absent is not written down as null."""
    return {key: text for key, text in texts.items() if text is not None}


def _probation(fields: Unknown | None) -> Probation | None:
    if fields is None:
        return None
    window_s, elapsed_s = _number(fields, "window_s"), _number(fields, "elapsed_s")
    is_ours = window_s is not None and elapsed_s is not None
    boots = _number(fields, "boots")
    return Probation(
        etag=_text(fields, "etag") or "",
        applied_at=_text(fields, "applied_at"),
        until=_text(fields, "until"),
        slot=_text(fields, "slot"),
        previous_slot=_text(fields, "previous_slot"),
        window_s=window_s if is_ours else None,
        elapsed_s=elapsed_s or 0.0 if is_ours else 0.0,
        boots=int(boots or 0),
        rollback_reason=_text(fields, "rollback_reason"),
        unknown=fields,
    )


def _bad_etag(fields: Unknown | None) -> BadEtag | None:
    if fields is None:
        return None
    return BadEtag(
        etag=_text(fields, "etag") or "",
        reason=_text(fields, "reason"),
        recorded_at=_text(fields, "recorded_at"),
        tries=int(_number(fields, "tries") or 1),
        retry_after=_number(fields, "retry_after"),
        unknown=fields,
    )


def _bad_etags(raw: msgspec.Raw | None) -> tuple[BadEtag, ...]:
    try:
        items = msgspec.json.decode(raw, type=list[msgspec.Raw]) if raw is not None else []
    except (ValueError, RecursionError):
        return ()
    records = (_bad_etag(_record(item)) for item in items)
    return tuple(record for record in records if record is not None)


def _rollback(fields: Unknown | None) -> Rollback | None:
    if fields is None:
        return None
    return Rollback(
        etag=_text(fields, "etag") or "",
        reason=_text(fields, "reason"),
        at=_text(fields, "at"),
        detail=_text(fields, "detail"),
        unknown=fields,
    )


def _record(raw: msgspec.Raw | None) -> Unknown | None:
    """Return the fields of an object that names an etag; all the rest counts as absent."""
    if raw is None:
        return None
    try:
        fields = msgspec.json.decode(raw, type=Unknown)
        etag = msgspec.json.decode(fields.get("etag", b"null"))
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(etag, str) and etag else None


def _text(fields: Unknown, key: str) -> str | None:
    value = _value(fields, key)
    return value if isinstance(value, str) else None


def _number(fields: Unknown, key: str) -> float | None:
    value = _value(fields, key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and value >= 0 else None


def _value(fields: Unknown, key: str) -> Any:
    """Take a known field out, so that what stays in ``fields`` is what is not known."""
    try:
        return msgspec.json.decode(fields.pop(key, b"null"))
    except (ValueError, RecursionError):
        return None
