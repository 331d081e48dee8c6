"""The apply engine: takes a served document in, tries it, keeps it or takes it back.

No actor, no thread, no timer: one caller at a time, and every method is done when it returns.

One rename of ``active`` is the commit, in both directions, and ``state.json`` is written around
it so that a crash between any two writes can be told from any other:

* Apply: slot, etag, then the state with the trial, then the pointer. A trial of a slot that is
  not active is an apply that never happened: it is dropped, and the config is pulled again.
* Rollback: the state with ``rollback_reason`` in the trial, then the pointer, then the state
  with the ban and without the trial. Before the rename the config is in force and not yet
  banned; a trial with a reason is a rollback to be finished. After the rename the same trial,
  of a slot no longer active, is a rollback to be written down. So at no moment is a banned etag
  in force, and no crash forgets what was found out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from hypactors.config._control import active_slot, running_etag
from hypactors.config._judgement import (
    ban_etag,
    begin_trial,
    forget_ban,
    is_banned,
    is_lost,
    is_lost_at_boot,
    lose_trial,
    next_boot,
    remaining_s,
    rollback_slot,
    win_trial,
    window_s,
)
from hypactors.config._memory import SAVE_EVERY_S, Memory
from hypactors.config._results import BootAction, RollbackResult, StageResult
from hypactors.config._served import ApplyChecks, Refusal, examine
from hypactors.config._slots import ControlFolder, reset_to_seed
from hypactors.files import DISK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypactors.clock import Clock
    from hypactors.config._document import ConfigDocument
    from hypactors.config._results import EventLog, RollbackReason
    from hypactors.config._served import Complaint, InstallFailure, Served, StageErrorKind
    from hypactors.config._state import ControlState, Probation, Slot
    from hypactors.files import Files
    from hypactors.paths import HypHome


class ApplyEngine:
    """Sole writer of the slots, the pointer, ``state.json`` and the seed while the daemon runs.

    Life: ``evaluate_at_boot``, ``attach``, then polls and ticks; ``close`` at the end.
    A successful poll is ``confirm_poll()`` and then, when it brought a document, ``stage()``.
    """

    def __init__(self, home: HypHome, *, clock: Clock, log: EventLog, files: Files = DISK) -> None:
        self._home = home
        self._clock = clock
        self._log = log
        self._files = files
        self._folder = ControlFolder(home, files)
        self._checks: ApplyChecks | None = None
        self._memory = Memory(home, self._folder, clock=clock, log=log)
        self._is_restart_pending = False
        self._revision = 0

    def evaluate_at_boot(self) -> BootAction:
        """Mend what a crash left, end a lost trial. Before any plugin runs.

        A disk that fails is logged, and the daemon boots with the config that is in force.
        """
        try:
            found = self._evaluate()
            self._folder.sweep()
        except OSError as error:
            self._log.error("config.boot_check_failed", error=str(error))
            return BootAction("none")
        return found

    def attach(
        self,
        *,
        validate: Callable[[ConfigDocument], Sequence[Complaint]],
        install: Callable[[ConfigDocument], InstallFailure | None],
    ) -> None:
        """Say how documents are checked. Until then ``stage`` is not ready."""
        self._checks = ApplyChecks(install=install, validate=validate)

    @property
    def running_etag(self) -> str | None:
        """The etag to poll with: the active slot's.

        None in seed mode, and when the active document cannot be used: it must be served anew.
        """
        slot = active_slot(self._home)
        return running_etag(self._home) if slot and self._folder.is_usable(slot) else None

    @property
    def probation(self) -> Probation | None:
        """The trial that the active config is on, None when it is confirmed."""
        return self._memory.trial(self._memory.state())

    @property
    def is_restart_pending(self) -> bool:
        """The pointer has moved, and what runs is still the config before."""
        return self._is_restart_pending

    @property
    def revision(self) -> int:
        """Counts the times that actors took up the active config; a poll belongs to one of them."""
        return self._revision

    def restart_completed(self) -> None:
        """Note that the actors run the active config: from now on polls count for it."""
        self._is_restart_pending = False
        self._revision += 1

    def confirm_poll(self) -> str | None:
        """End the trial, as a poll succeeded under the running config; return its etag, once.

        None: there was no trial, or a restart is pending, as then the poll was made under the
        config before. Saved before it returns; raises ``OSError`` when that failed, and then the
        trial goes on.
        """
        if self._is_restart_pending:
            return None
        state = self._memory.state()
        if state.probation is None:
            self._memory.poll_succeeded(state)
            return None
        trial = self._memory.trial(state)
        if trial is None:
            self._memory.save(replace(state, probation=None))
            return None
        self._memory.save(win_trial(state))
        self._log.info("config.probation_cleared", etag=trial.etag)
        self._note_confirmed(trial.etag)
        self._retire_seed()
        return trial.etag

    def poll_failed(self) -> None:
        """Note a failed poll: the time since the last good one brings no soft ban to its end."""
        self._memory.poll_failed()

    def stage(self, document: bytes, etag: str | None) -> StageResult:
        """Check and commit a served document (JSON text). Never raises for what it holds."""
        result = self._stage(document, etag)
        if result.error_kind is not None:
            self._log.error(
                "config.apply_failed", etag=etag, kind=result.error_kind, detail=result.message
            )
        return result

    def tick(self) -> RollbackResult | None:
        """Let time pass: save it, and roll back when the window has run out."""
        state = self._memory.state()
        trial = self._memory.trial(state)
        if trial is None:
            return None
        aged = self._memory.aged(trial)
        if is_lost(aged, self._clock.now()):
            self._log.warning("config.probation_expired", etag=trial.etag)
            return self.roll_back("probation_expired")
        if aged.elapsed_s - trial.elapsed_s >= SAVE_EVERY_S:
            self._memory.save_age(state, aged)
        return None

    def next_tick_s(self) -> float | None:
        """Say in how many seconds ``tick`` is due; None when there is nothing to wait for."""
        trial = self.probation
        if trial is None:
            return None
        left_s = remaining_s(self._memory.aged(trial), self._clock.now())
        # A window that has run out is waiting for a rollback that failed.
        return left_s if 0 < left_s < SAVE_EVERY_S else SAVE_EVERY_S

    def roll_back(self, reason: RollbackReason) -> RollbackResult:
        """Return to the slot before. Without one, ``probation_crashed`` changes nothing."""
        state = self._memory.state()
        trial = self._memory.trial(state)
        if trial is None:
            return RollbackResult("no_target", None, reason)
        result = self._take_back(state, trial, reason)
        if result.is_restart_wanted:
            self._is_restart_pending = True
        return result

    def reset_to_seed(self) -> bool:
        """Forget all but the seed; say whether an active slot was superseded."""
        return reset_to_seed(self._home, self._files)

    def close(self) -> None:
        """Save the time that has passed. Called last; a disk that fails is only logged."""
        state = self._memory.state()
        trial = self._memory.trial(state)
        if trial is not None:
            self._memory.save_age(state, self._memory.aged(trial))
        else:
            self._memory.save_credit(state)

    # Boot

    def _evaluate(self) -> BootAction:
        state = self._memory.as_written()
        trial = state.probation
        if trial is not None and trial.rollback_reason is not None:
            return self._finish_rollback(state, trial, trial.rollback_reason)
        running = running_etag(self._home)
        if running is not None and is_banned(state, running):
            return self._recover_bad_active(state, running)
        if trial is None:
            if self.running_etag is not None:
                self._retire_seed()
            return BootAction("none")
        if self._memory.trial(state) is None:
            self._memory.save(replace(state, probation=None))
            return BootAction("cleared_orphan", trial.etag)
        booted = next_boot(trial)
        state = replace(state, probation=booted)
        if is_lost_at_boot(booted, self._clock.now()):
            return _boot_action(self._take_back(state, booted, "probation_expired"))
        self._memory.start_trial_time()
        if booted != trial:
            self._memory.save(state)
        return BootAction("none")

    def _finish_rollback(self, state: ControlState, trial: Probation, reason: str) -> BootAction:
        if self._memory.trial(state) is not None:
            return _boot_action(self._take_back(state, trial, reason))
        self._memory.save(lose_trial(state, trial, reason, self._clock.now()))
        self._log.warning("config.rollback", etag=trial.etag, reason=reason)
        return BootAction("rolled_back", trial.etag, reason)

    def _recover_bad_active(self, state: ControlState, etag: str) -> BootAction:
        """Leave a config that is in force and banned; another client can leave that behind.

        The pointer goes before the memory does: the other way round, a crash would leave the
        bad config in force as if it had been confirmed.
        """
        has_seed = self._home.seed_file.exists()
        if has_seed:
            self._folder.remove_pointer()
        self._memory.save(forget_ban(replace(state, probation=None), etag))
        fallback: Literal["seed", "repull"] = "seed" if has_seed else "repull"
        self._log.warning("config.bad_etag_active_recovered", etag=etag, fallback=fallback)
        return BootAction("recovered_bad_active", etag, fallback=fallback)

    # Apply

    def _stage(self, document: bytes, served_etag: str | None) -> StageResult:
        if self._is_restart_pending:
            return _refused("restart_pending", "the restart for another config is not over")
        if self._checks is None:
            return _refused("apply_engine_not_ready", "the daemon is still starting")
        etag = (served_etag or "").strip()
        # The etag is a line of a file, and compared with that line ever after.
        if not etag or not etag.isprintable():
            return _refused("config_invalid", "the document came without a usable etag")
        if etag == self.running_etag:
            return StageResult("noop_same_etag")
        state = self._memory.state()
        if is_banned(state, etag):
            return StageResult("skipped_bad_etag")
        if self._memory.trial(state) is not None:
            # The slot that would be written is the one to go back to.
            return _refused("probation_active", "the config in force is not confirmed yet")
        served = examine(document, self._checks)
        if isinstance(served, Refusal):
            # A damaged active slot is served anew: what is in force cannot be banned.
            if served.ban_reason is not None and etag != running_etag(self._home):
                now = self._clock.now()
                self._memory.save_or_log(ban_etag(state, etag, served.ban_reason, now))
            return _refused(served.kind, served.message)
        return self._commit(state, served, etag)

    def _commit(self, state: ControlState, served: Served, etag: str) -> StageResult:
        target: Slot | None = None
        try:
            self._folder.make()
            previous = active_slot(self._home) or self._folder.copy_seed()
            target = "a" if previous == "b" else "b"
            self._folder.write_slot(target, served.content, etag)
            trial = begin_trial(
                state,
                etag,
                slot=target,
                previous=previous,
                lasting_s=window_s(served.document),
                now=self._clock.now(),
            )
            self._memory.save(trial)
            self._folder.point_at(target)
        except OSError as error:
            # When only the last fsync failed, the pointer has moved and there is no way back
            # but the one that a trial has.
            if target is None or active_slot(self._home) != target:
                self._memory.save_or_log(replace(state, probation=None))
                return _refused("apply_io_error", f"the config cannot be stored ({error})")
            self._log.warning("config.pointer_unsynced", etag=etag, error=str(error))
        self._is_restart_pending = True
        self._memory.start_trial_time()
        self._log.info("config.applied", etag=etag, slot=target, window_s=window_s(served.document))
        self._retire_seed()
        return StageResult("applied")

    def _note_confirmed(self, etag: str) -> None:
        """Note the time for people; the config is confirmed whether or not that works."""
        slot = active_slot(self._home)
        try:
            if slot is not None:
                self._folder.note_confirmed(slot, etag, self._clock.now())
        except OSError as error:
            self._log.warning("config.confirmation_not_noted", etag=etag, error=str(error))

    def _retire_seed(self) -> None:
        """Delete the seed, now that a slot has what it said; a failure is made up for later."""
        try:
            if self._folder.retire_seed():
                self._log.info("config.seed_retired")
        except OSError as error:
            self._log.warning("config.seed_not_retired", error=str(error))

    # Rollback

    def _take_back(self, state: ControlState, trial: Probation, reason: str) -> RollbackResult:
        target = rollback_slot(trial)
        if target is None:
            return self._keep(state, trial, reason, "no_distinct_previous_slot")
        if not self._folder.is_usable(target):
            return self._keep(state, trial, reason, "previous_slot_unusable")
        try:
            begun = replace(trial, rollback_reason=reason)
            self._memory.save(replace(state, probation=begun))
            self._folder.point_at(target)
            self._memory.save(lose_trial(state, trial, reason, self._clock.now()))
        except OSError as error:
            self._log.error("config.rollback_failed", etag=trial.etag, error=str(error))
            if active_slot(self._home) != target:
                return RollbackResult("failed", trial.etag, reason)
        self._log.warning("config.rollback", etag=trial.etag, reason=reason, slot=target)
        return RollbackResult("rolled_back", trial.etag, reason)

    def _keep(
        self, state: ControlState, trial: Probation, reason: str, detail: str
    ) -> RollbackResult:
        """Go on with the only config there is; nothing is better than it."""
        self._log.warning(
            "config.rollback_no_target", etag=trial.etag, reason=reason, detail=detail
        )
        if reason != "probation_crashed" and not self._memory.save_or_log(
            replace(state, probation=None)
        ):
            return RollbackResult("failed", trial.etag, reason)
        return RollbackResult("no_target", trial.etag, reason)


def _refused(kind: StageErrorKind, message: str) -> StageResult:
    return StageResult(None, kind, message)


def _boot_action(result: RollbackResult) -> BootAction:
    match result.outcome:
        case "rolled_back":
            return BootAction("rolled_back", result.etag, result.reason)
        case "no_target":
            return BootAction("rollback_no_target", result.etag, result.reason)
        case "failed":
            return BootAction("none")
