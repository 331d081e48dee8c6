"""A machine that is polled, crashed, put to sleep and damaged in any order."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hypactors.clock import ManualClock
from hypactors.config import active_slot, read_control_state
from hypactors.paths import HypHome
from tests.faults.disk import Crash, FaultyDisk, restore
from tests.faults.machine import BAD, Machine

REVISIONS = st.sampled_from(["E1", "E2", "E3", f"{BAD}1", f"{BAD}2"])
GOOD = st.sampled_from(["E1", "E2", "E3"])


class SleepyClock(ManualClock):
    """A clock of a laptop: the wall goes on in sleep, and people set it."""

    def set_wall(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def boot(self) -> None:
        self._monotonic = 0.0


class Life(RuleBasedStateMachine):
    """The invariants of config-control §5 hold after each rule."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hyp-life-"))

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(is_joined=st.booleans())
    def begin(self, *, is_joined: bool) -> None:
        self.clock = SleepyClock()
        self.machine = Machine(HypHome(self.folder), clock=self.clock)
        if is_joined:
            self.machine.join()
        self.machine.boot()

    @rule(served=REVISIONS)
    def poll(self, served: str) -> None:
        trial = self.machine.on_trial()
        edges = len(self.machine.edges)
        result = self.machine.poll(served)
        # config-control 26: each trial that a poll ends gives one edge, and nothing else does.
        assert self.machine.edges[edges:] == ([trial] if trial else [])
        if served.startswith(BAD) and result is not None:
            assert result.action == "skipped_bad_etag" or result.error_kind == "config_invalid"
        if result is not None and result.action == "applied":
            assert self.machine.on_trial() == served

    @rule(seconds=st.integers(0, 200))
    def live(self, seconds: int) -> None:
        trial = read_control_state(self.machine.home).probation
        self.clock.advance(seconds)
        self.machine.tick()
        if trial and not self.machine.on_trial() and active_slot(self.machine.home) != trial.slot:
            assert trial.etag in self.machine.banned()

    @rule(hours=st.integers(1, 48))
    def sleep(self, hours: int) -> None:
        """Let the window stand still: no trial is lost by sleep."""
        trial = self.machine.on_trial()
        self.clock.set_wall(hours * 3600)
        self.machine.tick()
        assert self.machine.on_trial() == trial

    @rule(seconds=st.integers(-1_000_000, 1_000_000))
    def set_the_clock(self, seconds: int) -> None:
        trial = self.machine.on_trial()
        self.clock.set_wall(seconds)
        self.machine.tick()
        assert self.machine.on_trial() == trial

    @rule()
    def stop_and_start(self) -> None:
        self.machine.engine.close()
        self.boot()

    @rule(reason=st.just("probation_crashed"))
    def lose_an_actor(self, reason: str) -> None:
        trial = self.machine.on_trial()
        result = self.machine.engine.roll_back("probation_crashed")
        assert result.reason == reason
        if result.is_restart_wanted:
            assert trial in self.machine.banned()
            self.machine.engine.restart_completed()
        else:
            assert self.machine.on_trial() == trial

    @rule(served=REVISIONS, step=st.integers(1, 40), wait=st.integers(0, 200), cut=st.integers(0))
    def crash(self, served: str, step: int, wait: int, cut: int) -> None:
        """Stop at a step of a tick and a poll, and find any of what may be left."""
        disk = FaultyDisk(self.machine.home.control_dir, fault_at=step)
        try:
            if wait == 0:
                self.machine.boot(disk)
            self.machine.put_in(disk)
            self.clock.advance(wait)
            self.machine.tick()
            self.machine.poll(served)
        except Crash:
            left = list(disk.aftermaths())
            restore(self.machine.home.control_dir, left[cut % len(left)])
        self.boot()

    @rule(damage=st.sampled_from([b"", b"{", b"[]", b"\xff", b'{"probation": {"etag": "E1"}}']))
    def corrupt_the_state(self, damage: bytes) -> None:
        in_force = self.machine.in_force()
        self.machine.home.state_file.write_bytes(damage)
        self.boot()
        assert self.machine.in_force() == in_force

    @precondition(lambda self: active_slot(self.machine.home) is not None)
    @rule(served=GOOD)
    def corrupt_the_active_slot(self, served: str) -> None:
        """Have it served anew, even when it is the revision that was in force."""
        slot = active_slot(self.machine.home)
        assert slot is not None
        self.machine.home.slot_file(slot).write_bytes(b"{ torn")
        assert self.machine.engine.running_etag is None
        for _ in range(2):
            self.machine.poll(served)
        if self.machine.engine.running_etag is None:
            # The revision served is banned: it does not come back, another one does.
            assert served in self.machine.banned()
            for _ in range(2):
                self.machine.poll("E4")

    def boot(self) -> None:
        self.clock.boot()
        self.machine.boot()

    @invariant()
    def what_is_in_force_is_whole_and_not_banned(self) -> None:
        # Reading it compares the document with its etag.
        in_force = self.machine.in_force()
        assert not in_force.startswith(BAD)
        assert in_force not in self.machine.banned()
        state = read_control_state(self.machine.home)
        assert state.bad_etag is None or state.bad_etag.etag != in_force
        assert len(state.bad_etags) <= 16
        assert not self.machine.engine.is_restart_pending

    @invariant()
    def the_slot_to_go_back_to_is_whole(self) -> None:
        if self.machine.on_trial() is None:
            return
        assert self.machine.engine.probation is not None
        assert self.machine.engine.next_tick_s() is not None


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
