"""The control folder as anybody may read it: active slot, etag in force, what is remembered.

Reading is tolerant: what cannot be read counts as absent, and ``problem`` says so.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from hypactors.config._state import SLOTS, ControlState, decode_state
from hypactors.files import read_if_present

if TYPE_CHECKING:
    from hypactors.config._state import Slot
    from hypactors.paths import HypHome


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """What is noted beside a slot: when the trial of its config was won."""

    etag: str
    at: str
    v: int = 1


def read_control_state(home: HypHome) -> ControlState:
    """Read ``state.json``. It never raises and needs no daemon (config-control 32)."""
    try:
        raw = read_if_present(home.state_file)
        return decode_state(raw) if raw is not None else ControlState()
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        problem = f"{home.state_file}: cannot be used ({why}); taken as empty"
        return ControlState(problem=problem)


def active_slot(home: HypHome) -> Slot | None:
    """Return the slot that ``active`` links to.

    Only a link to exactly one of the two slot files counts, whether that file is there or not.
    """
    try:
        target = home.active_link.readlink()
    except OSError:
        return None
    resolved = os.path.normpath(home.control_dir / target)
    for slot in SLOTS:
        if resolved == os.path.normpath(home.slot_file(slot)):
            return slot
    return None


def running_etag(home: HypHome) -> str | None:
    """Return the etag of the active slot. The bytes of a seed have none."""
    slot = active_slot(home)
    return slot_etag(home, slot) if slot is not None else None


def slot_etag(home: HypHome, slot: Slot) -> str | None:
    """Return the etag of what a slot holds, active or not."""
    try:
        text = home.slot_etag_file(slot).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return text.strip() or None


def confirmed_at(home: HypHome) -> str | None:
    """Return when the config in force was confirmed; None when nobody noted it.

    Another client does not; and a seed, or what is on trial, was not confirmed.
    """
    slot = active_slot(home)
    if slot is None:
        return None
    try:
        raw = read_if_present(home.slot_confirmed_file(slot))
        found = msgspec.json.decode(raw or b"null", type=Confirmed | None)
    except (OSError, ValueError, RecursionError):
        return None
    # The slot may have been written anew since, for another config.
    return found.at if found is not None and found.etag == slot_etag(home, slot) else None
