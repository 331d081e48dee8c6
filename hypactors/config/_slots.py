"""The files of the control folder, and the only way that they are changed.

The slot that ``active`` names is never written: what is not named by the link is invisible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hypactors.clock import iso_ms
from hypactors.config._control import Confirmed, active_slot
from hypactors.config._document import DocumentError
from hypactors.config._shape import parse_document
from hypactors.config._state import SLOTS, ControlState, decode_state, encode_state
from hypactors.files import (
    DISK,
    ensure_private_dir,
    fsync_dir,
    link_atomic,
    read_if_present,
    remove,
    write_atomic,
)

if TYPE_CHECKING:
    from datetime import datetime

    from hypactors.config._state import Slot
    from hypactors.files import Files
    from hypactors.paths import HypHome


class ControlFolder:
    """``config-control`` of one home. Each method is on disk when it returns, or raises."""

    def __init__(self, home: HypHome, files: Files = DISK) -> None:
        self._home = home
        self._files = files

    def make(self) -> None:
        """Make the folder, if a machine that never joined has none."""
        if not self._home.control_dir.exists():
            ensure_private_dir(self._home.control_dir)
            for parent in (self._home.control_dir.parent, self._home.root):
                fsync_dir(parent)

    def read_state(self) -> ControlState:
        """Read ``state.json``; ``problem`` says why it cannot be used.

        Raises ``OSError`` when the trouble is not in the file: it may be good, and readable later.
        """
        try:
            raw = read_if_present(self._home.state_file)
            return decode_state(raw) if raw is not None else ControlState()
        except (IsADirectoryError, PermissionError, ValueError, RecursionError) as error:
            return ControlState(problem=f"{self._home.state_file}: cannot be used ({error})")

    def set_state_aside(self, now: datetime) -> str:
        """Keep an unusable ``state.json`` under another name, and return that."""
        kept = self._home.state_file.with_name(f"state.json.corrupt-{now:%Y%m%dT%H%M%S%fZ}")
        self._files.replace(self._home.state_file, kept)
        self._files.fsync(self._home.control_dir)
        return kept.name

    def save_state(self, state: ControlState) -> None:
        write_atomic(self._home.state_file, encode_state(state), files=self._files)

    def copy_seed(self) -> Slot | None:
        """Make the seed slot a, without an etag: it is what a first config falls back to."""
        seed = read_if_present(self._home.seed_file)
        if seed is None:
            return None
        remove(self._home.slot_etag_file("a"), files=self._files)
        write_atomic(self._home.slot_file("a"), seed, files=self._files)
        return "a"

    def write_slot(self, slot: Slot, content: bytes, etag: str) -> None:
        write_atomic(self._home.slot_file(slot), content, files=self._files)
        sidecar = self._home.slot_etag_file(slot)
        write_atomic(sidecar, f"{etag}\n".encode(), files=self._files)

    def note_confirmed(self, slot: Slot, etag: str, now: datetime) -> None:
        content = msgspec.json.encode(Confirmed(etag=etag, at=iso_ms(now))) + b"\n"
        write_atomic(self._home.slot_confirmed_file(slot), content, files=self._files)

    def point_at(self, slot: Slot) -> None:
        """Put a slot in force: document and etag change together, by one rename."""
        target = self._home.slot_file(slot).name
        link_atomic(self._home.active_link, target, files=self._files)

    def remove_pointer(self) -> bool:
        """Put the seed back in force; say whether there was a pointer."""
        return remove(self._home.active_link, files=self._files)

    def is_usable(self, slot: Slot) -> bool:
        """Say whether the slot holds a document that a machine can run on."""
        try:
            parse_document(self._home.slot_file(slot).read_bytes())
        except (OSError, DocumentError):
            return False
        return True

    def retire_seed(self) -> bool:
        """Delete the seed, which holds a token; say whether there was one."""
        return remove(self._home.seed_file, files=self._files)

    def sweep(self) -> None:
        """Remove what interrupted writes have left. No other write may be under way."""
        ours = (
            self._home.state_file,
            *(self._home.slot_file(slot) for slot in SLOTS),
            *(self._home.slot_etag_file(slot) for slot in SLOTS),
            *(self._home.slot_confirmed_file(slot) for slot in SLOTS),
        )
        if not self._home.control_dir.is_dir():
            return
        for path in self._home.control_dir.iterdir():
            is_file = any(path.match(f"{file.name}.*.tmp") for file in ours)
            if is_file or path.match(f"{self._home.active_link.name}.tmp.*"):
                self._files.unlink(path)


def reset_to_seed(home: HypHome, files: Files = DISK) -> bool:
    """Forget everything but the seed; say whether an active slot was superseded.

    The pointer goes first, and for good: a crash then leaves the seed in force, never a config
    on trial whose trial is forgotten. Whatever ``active`` points to, only the link is removed.
    """
    had_slot = active_slot(home) is not None
    remove(home.active_link, files=files)
    rest = (
        home.state_file,
        *(home.slot_confirmed_file(slot) for slot in SLOTS),
        *(home.slot_etag_file(slot) for slot in SLOTS),
        *(home.slot_file(slot) for slot in SLOTS),
    )
    for path in rest:
        remove(path, files=files)
    return had_slot
