"""``state.json`` as the apply engine sees it, with the time that is not saved yet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypactors.config._control import active_slot
from hypactors.config._judgement import LONGEST_POLL_S, credit_polls, lose_trial, shortest_ban_s
from hypactors.config._state import ControlState

if TYPE_CHECKING:
    from hypactors.clock import Clock
    from hypactors.config._results import EventLog
    from hypactors.config._slots import ControlFolder
    from hypactors.config._state import Probation
    from hypactors.paths import HypHome

SAVE_EVERY_S = 10.0
"""How much of a trial's time a crash may lose."""

SAVE_CREDIT_S = 60.0
"""The same for soft bans, which last hours."""


class Memory:
    """Read from disk at each call: what a failed write has left there is what counts."""

    def __init__(
        self, home: HypHome, folder: ControlFolder, *, clock: Clock, log: EventLog
    ) -> None:
        self._home = home
        self._folder = folder
        self._clock = clock
        self._log = log
        self._saved_at: float | None = None
        """Up to when the trial's time is saved, on the monotonic clock."""
        self._polled_at: float | None = None
        self._unsaved_credit_s = 0.0

    def as_written(self) -> ControlState:
        """Return what the file says; one that cannot be used is set aside and counts as empty."""
        state = self._folder.read_state()
        if state.problem is None:
            return state
        try:
            kept_as = self._folder.set_state_aside(self._clock.now())
        except OSError as error:
            self._log.error("config.state_unusable", problem=state.problem, error=str(error))
        else:
            self._log.error("config.state_set_aside", problem=state.problem, kept_as=kept_as)
        return ControlState()

    def state(self) -> ControlState:
        """Return what is remembered; a rollback whose last write is missing counts as done."""
        state = self.as_written()
        trial = state.probation
        if trial is None or trial.rollback_reason is None or self.trial(state) is not None:
            return state
        judged = lose_trial(state, trial, trial.rollback_reason, self._clock.now())
        self.save_or_log(judged)
        return judged

    def trial(self, state: ControlState) -> Probation | None:
        """Return the trial in force. One of a slot that is not active is of no config."""
        trial = state.probation
        return trial if trial is not None and trial.slot == active_slot(self._home) else None

    def save(self, state: ControlState) -> None:
        self._folder.save_state(state)

    def save_or_log(self, state: ControlState) -> bool:
        """Save what may be lost without harm; say whether it is saved."""
        try:
            self.save(state)
        except OSError as error:
            self._log.warning("config.state_unsaved", error=str(error))
            return False
        return True

    def start_trial_time(self) -> None:
        self._saved_at = self._clock.monotonic()
        self._polled_at = None

    def aged(self, trial: Probation) -> Probation:
        """Return the trial with the time that has passed since it was saved."""
        if self._saved_at is None:
            self._saved_at = self._clock.monotonic()
        unsaved_s = self._clock.monotonic() - self._saved_at
        return replace(trial, elapsed_s=round(trial.elapsed_s + unsaved_s, 3))

    def save_age(self, state: ControlState, aged: Probation) -> None:
        now = self._clock.monotonic()
        # A trial of the other client runs on the wall clock: there is nothing to save.
        if aged.window_s is not None and self.save_or_log(replace(state, probation=aged)):
            self._saved_at = now

    def poll_succeeded(self, state: ControlState) -> None:
        """Count the time since the last successful poll towards the end of the soft bans."""
        now = self._clock.monotonic()
        since, self._polled_at = self._polled_at, now
        wait_s = shortest_ban_s(state)
        if wait_s is None or since is None:
            return
        # A longer gap was no polling at all.
        self._unsaved_credit_s += min(now - since, LONGEST_POLL_S)
        if self._unsaved_credit_s >= min(wait_s, SAVE_CREDIT_S):
            self.save_credit(state)

    def poll_failed(self) -> None:
        self._polled_at = None

    def save_credit(self, state: ControlState) -> None:
        if self._unsaved_credit_s and self.save_or_log(credit_polls(state, self._unsaved_credit_s)):
            self._unsaved_credit_s = 0.0
