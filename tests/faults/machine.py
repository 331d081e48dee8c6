"""A machine with an apply engine, and the server that it polls, for tests that break things."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypactors.clock import ManualClock
from hypactors.config import (
    ApplyEngine,
    ConfigDocument,
    ShapeError,
    active_slot,
    read_control_state,
    running_etag,
)
from hypactors.files import DISK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hypactors.config import BootAction, StageResult
    from hypactors.files import Files
    from hypactors.paths import HypHome

SEED = "seed"
NOTHING = "nothing"
BAD = "bad"

Event = tuple[str, dict[str, Any]]


def document(revision: str, poll_s: float = 60) -> bytes:
    """Return a served document that says which revision it is, so that a mix-up shows."""
    config = {"url": "https://fleet.example", "poll_interval_seconds": poll_s, "revision": revision}
    sinks = {"central": {"plugin": "@hypaware/central", "config": config}}
    return json.dumps({"version": 2, "plugins": [], "sinks": sinks}).encode()


def revision_of(raw: bytes) -> str:
    revision = json.loads(raw)["sinks"]["central"]["config"]["revision"]
    assert isinstance(revision, str)
    return revision


def validate(parsed: ConfigDocument) -> Sequence[ShapeError]:
    """Object to every revision that is called bad."""
    [sink] = parsed.sinks.values()
    revision = (sink.config or {})["revision"]
    return [ShapeError("/sinks/central", "is bad")] if revision.startswith(BAD) else []


@dataclass
class Log:
    """Collects what the engine says."""

    events: list[Event] = field(default_factory=list)

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    warning = error = info

    def names(self) -> list[str]:
        return [name for name, _fields in self.events]


@dataclass
class Machine:
    """One home. ``boot`` is a new daemon on it; ``poll`` is what its link to the server does."""

    home: HypHome
    clock: ManualClock = field(default_factory=ManualClock)
    log: Log = field(default_factory=Log)
    engine: ApplyEngine = field(init=False)
    edges: list[str] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)
    boot_action: BootAction = field(init=False)

    def __post_init__(self) -> None:
        self.home.control_dir.mkdir(parents=True, exist_ok=True)

    def join(self) -> None:
        self.home.seed_file.write_bytes(document(SEED))

    def boot(self, files: Files = DISK) -> BootAction:
        self.start(files)
        self.boot_action = self.engine.evaluate_at_boot()
        return self.boot_action

    def start(self, files: Files = DISK) -> None:
        """Make a new engine, and do not let it look around yet."""
        self.engine = ApplyEngine(self.home, clock=self.clock, log=self.log, files=files)
        self.engine.attach(validate=validate, install=lambda _document: None)

    def put_in(self, files: Files) -> None:
        """Let the engine of a live daemon go on with another disk."""
        self.engine._files = self.engine._folder._files = files

    def poll(self, served: str) -> StageResult | None:
        """Poll a server that serves this revision. Its etag is the revision's name."""
        self.confirm()
        if self.engine.running_etag == served:
            return None
        result = self.engine.stage(document(served), served)
        if result.is_restart_wanted:
            self.restart("config_applied")
        return result

    def confirm(self) -> None:
        etag = self.engine.confirm_poll()
        if etag is not None:
            self.edges.append(etag)

    def tick(self) -> None:
        result = self.engine.tick()
        if result is not None and result.is_restart_wanted:
            self.restart(result.reason)

    def restart(self, reason: str) -> None:
        """Do the staged restart that was asked for."""
        self.restarts.append(reason)
        self.engine.restart_completed()

    def settle(self, served: str) -> None:
        """Boot and poll until nothing changes any more: apply, then confirm."""
        self.boot()
        for _ in range(2):
            self.poll(served)

    # What is in force, read from the files alone

    def in_force(self) -> str:
        """Return the revision in force. Its etag must be the document's own."""
        slot = active_slot(self.home)
        if slot is not None:
            revision = revision_of(self.home.slot_file(slot).read_bytes())
            etag = running_etag(self.home)
            assert etag == (None if revision == SEED else revision)
            return revision
        assert not self.home.active_link.is_symlink()
        seed = self.home.seed_file
        return revision_of(seed.read_bytes()) if seed.exists() else NOTHING

    def banned(self) -> set[str]:
        """Return the etags that would not be taken now."""
        state = read_control_state(self.home)
        assert state.problem is None
        newest = {state.bad_etag.etag} if state.bad_etag else set()
        known = {ban.etag for ban in state.bad_etags}
        return {ban.etag for ban in state.bad_etags if ban.is_banned} | (newest - known)

    def on_trial(self) -> str | None:
        """Return the etag of the marker, if it is about the config in force."""
        trial = read_control_state(self.home).probation
        is_in_force = trial is not None and trial.slot == active_slot(self.home)
        return trial.etag if trial is not None and is_in_force else None

    def leftovers(self) -> list[Path]:
        return [path for path in self.home.control_dir.iterdir() if "tmp" in path.name]
