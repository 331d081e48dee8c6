"""Closes the gap between what the config asks for and what the markers record.

Level triggered: a pass compares the whole wish with the whole record, so that a lost message costs
time and nothing else. It plans on a snapshot of the markers that the store sends, hands the units
to their runners, and is over; outcomes arrive whenever they do.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypactors.actions import (
    JITTER_SHARE,
    Dispatched,
    ForgetUnit,
    PerformUnit,
    ReverseUnit,
    SkipReason,
    SkipUnit,
    Unit,
    perform_safely,
    plan_pass,
    retry_delay_s,
    reverse_safely,
    runner_name,
)
from hypactors.actors._action_log import log_outcome
from hypactors.actors._names import CONFIG_CONTROL, MARKER_STORE, RECONCILER
from hypactors.actors._reconciler_states import Given, Planning, ResyncDue, Settled
from hypactors.actors._unit_timers import Turns, UnitTimers
from hypactors.clock import iso_ms
from hypactors.messages import (
    ActionFinished,
    ActionInterrupted,
    ConfigChanged,
    ConfigConfirmed,
    DescribeWaits,
    DrainRequested,
    ForgetMarker,
    MarkersRead,
    MarkerStoreReady,
    Outcome,
    OutcomeRecorded,
    OutcomeStatus,
    Perform,
    ReadMarkers,
    RearmMarker,
    ReconcileRequested,
    ReconcilerReady,
    RecordOutcome,
    RetryRequested,
    RunnerMissed,
    RunnerReady,
    Waits,
)
from hypactors.supervision import SupervisedActor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from structlog.typing import FilteringBoundLogger

    from hypactors.actions import ActionContext, Handler, Machine
    from hypactors.actors._marker_store import RetryBounds
    from hypactors.clock import Clock
    from hypactors.supervision import ChildContext, Directory, Timer, Timers


class Reconciler(SupervisedActor):
    """One planning at a time; an edge during it yields exactly one more.

    ``on_settled`` is called on the actor's thread and must not block. ``place_s`` says how many
    seconds a unit's first attempt waits.
    """

    def __init__(
        self,
        context: ChildContext,
        *,
        handlers: Sequence[Handler],
        machine: Machine,
        directory: Directory,
        clock: Clock,
        timers: Timers,
        retry: RetryBounds,
        resync_s: float,
        place_s: Callable[[Unit], float],
        random: Callable[[], float],
        on_settled: Callable[[Settled], None],
        log: FilteringBoundLogger,
    ) -> None:
        super().__init__(context)
        self._handlers = handlers
        self._machine = machine
        self._directory = directory
        self._clock = clock
        self._timers = timers
        self._retry = retry
        self._resync_s = resync_s
        self._random = random
        self._on_settled = on_settled
        self._log = log.bind(actor=RECONCILER)

        self._config: ConfigChanged | None = None
        self._planned = 0
        self._planning: Planning | None = None
        self._again: ReconcileRequested | None = None
        self._given: dict[Unit, Given] = {}
        self._unrecorded: dict[Unit, RecordOutcome] = {}
        self._unmet: set[Unit] = set()
        self._logged: dict[Unit, str | None] = {}
        self._interruptions: dict[Unit, int] = {}
        again = ReconcileRequested("retry", is_edge=False)
        self._unit_timers = UnitTimers(timers, self._later(again))
        self._turns = Turns(place_s)
        self._blocked: dict[Unit, str] = {}
        self._resync_timer: Timer | None = None
        self._is_draining = False

    def setup(self) -> None:
        self._arm_resync()
        runners = [runner_name(provider.name) for provider in self._machine.providers]
        for name in (CONFIG_CONTROL, *runners):
            self._directory.tell(name, ReconcilerReady())

    def receive(self, message: Any) -> Any:  # noqa: C901, PLR0912 - one case a message
        match message:
            case ConfigChanged():
                self._config = message
            case ConfigConfirmed(reason=reason):
                self._request(ReconcileRequested(reason, is_edge=True))
            case ReconcileRequested():
                self._request(message)
            case ResyncDue():
                self._arm_resync()
                self._request(ReconcileRequested("resync", is_edge=False))
            case MarkersRead():
                self._run_pass(message)
            case ActionFinished():
                self._action_finished(message)
            case ActionInterrupted():
                self._action_interrupted(message)
            case OutcomeRecorded():
                self._outcome_recorded(message)
            case RunnerReady(runner=runner):
                self._give_again(runner)
            case MarkerStoreReady():
                self._send_again()
            case RetryRequested(units=units):
                self._retry_now(units)
            case DescribeWaits():
                return self._describe_waits()
            case DrainRequested():
                self._drain()
            case _:
                return super().receive(message)
        return None

    def teardown(self) -> None:
        self._cancel_timers()

    # Passes

    def _request(self, request: ReconcileRequested) -> None:
        if self._is_draining or self._config is None or not self._config.is_confirmed:
            return
        if self._planning is not None:
            is_edge = request.is_edge or (self._again is not None and self._again.is_edge)
            self._again = ReconcileRequested("rerun", is_edge)
            return
        self._planned += 1
        pass_id = f"pass-{iso_ms(self._clock.now())}-{self._planned}"
        self._planning = Planning(self._planned, request.reason, request.is_edge, pass_id)
        self._directory.tell(MARKER_STORE, ReadMarkers(self._planned))

    def _run_pass(self, read: MarkersRead) -> None:
        planning, config = self._planning, self._config
        if planning is None or planning.number != read.planning or config is None:
            return  # the answer to a snapshot that was asked for twice
        self._planning = None
        if self._is_draining or not config.is_confirmed:  # it may have changed since we asked
            return
        try:
            self._perform_pass(planning, read, config)
        except Exception as error:  # noqa: BLE001 - a pass that fails must not stop later ones
            self._log.error(
                "daemon.reconcile_failed", hyp_reason=planning.reason, message=repr(error)
            )
        again, self._again = self._again, None
        if again is not None:
            self._request(again)
        self._say_if_settled()

    def _perform_pass(self, planning: Planning, read: MarkersRead, config: ConfigChanged) -> None:
        assert config.layers.effective is not None  # noqa: S101 - checked by the caller
        now = self._clock.now()
        context = self._machine.context(config.layers.effective, now)
        plan = plan_pass(
            self._handlers,
            context,
            read.markers.of_fleet(config.fleet),
            busy=self._given.keys() | self._unrecorded.keys(),
            retry_all=planning.is_edge,
            hurried=self._turns.hurried(),
            longest_wait_s=self._retry.max_s * (1 + JITTER_SHARE),
            now=now,
        )
        self._unmet = set(self._given)
        self._blocked = {}
        for failure in plan.failures:
            self._unmet.add(Unit(failure.kind, "*"))
            self._log.error(
                "client_action.desired_failed",
                kind=failure.kind,
                detail=failure.error,
                error_kind="handler_desired_threw",
            )
        results = 0
        for step in plan.steps:
            match step:
                case PerformUnit() if self._waits_for_its_turn(step):
                    continue
                case PerformUnit():
                    self._perform(step, planning, context)
                case ReverseUnit(handler=handler, request_key=key, marker=marker):
                    outcome = reverse_safely(handler, key, context, marker)
                    self._record(
                        RecordOutcome(
                            handler.kind, key, outcome, planning.own_run_id(now), undone=True
                        )
                    )
                case ForgetUnit(kind=kind, request_key=key):
                    self._directory.tell(MARKER_STORE, ForgetMarker(kind, key))
                    continue  # forgetting is silent (client-actions §2)
                case SkipUnit():
                    self._skip(step)
            results += 1
        # An interrupted unit that is not wanted any more is no reason to wait.
        self._interruptions = {u: n for u, n in self._interruptions.items() if u in self._given}
        self._log.info(
            "daemon.reconcile_pass",
            hyp_reason=planning.reason,
            results=results,
            pass_id=planning.id,
        )

    def _perform(self, step: PerformUnit, planning: Planning, context: ActionContext) -> None:
        unit = Unit(step.handler.kind, step.action.request_key)
        self._unmet.add(unit)
        self._unit_timers.cancel(unit)
        self._turns.taken(unit)
        match perform_safely(step.handler, step.action, context):
            case Dispatched(runner=runner):
                attempts = (step.marker.attempts or 0) if step.marker is not None else 0
                perform = Perform(
                    unit.kind, step.action, planning.reason, attempts + 1, planning.id
                )
                self._given[unit] = Given(runner, perform)
                if not self._directory.tell(runner, perform):
                    # It says so itself when it is there: RunnerReady.
                    self._directory.tell(CONFIG_CONTROL, RunnerMissed())
            case Outcome() as outcome:
                run_id = planning.own_run_id(context.now)
                self._record(RecordOutcome(unit.kind, unit.request_key, outcome, run_id))

    def _waits_for_its_turn(self, step: PerformUnit) -> bool:
        unit = Unit(step.handler.kind, step.action.request_key)
        if step.marker is not None:
            return False
        wait_s = self._turns.wait_s(unit, self._clock.monotonic())
        if wait_s > 0:
            self._unmet.add(unit)
            self._unit_timers.set(unit, wait_s)
        return wait_s > 0

    def _skip(self, step: SkipUnit) -> None:
        unit = Unit(step.kind, step.request_key)
        if step.is_done:
            self._turns.taken(unit)
            return
        self._unmet.add(unit)
        if step.why is SkipReason.BLOCKED:
            self._blocked[unit] = step.detail or ""
            self._log.warning("client_action.blocked", **unit._asdict(), reason=step.detail)

    def _retry_now(self, units: Sequence[Unit]) -> None:
        for unit in units:
            self._turns.hurry(unit)
            self._directory.tell(MARKER_STORE, RearmMarker(*unit))
        self._request(ReconcileRequested("asked for", is_edge=False))

    def _describe_waits(self) -> Waits:
        now = self._clock.now()
        waiting = self._turns.waiting(self._clock.monotonic())
        return Waits(
            {unit: now + timedelta(seconds=wait_s) for unit, wait_s in waiting.items()},
            dict(self._blocked),
        )

    def _give_again(self, runner: str) -> None:
        """Offer a runner that (re)started what it may have lost with its mailbox."""
        if self._is_draining:
            return
        for given in self._given.values():
            if given.runner == runner:
                self._directory.tell(runner, given.perform)

    # Outcomes

    def _record(self, outcome: RecordOutcome) -> None:
        message = outcome.of_fleet(self._config.fleet if self._config else None)
        self._unrecorded[Unit(message.kind, message.request_key)] = message
        self._directory.tell(MARKER_STORE, message)

    def _action_finished(self, finished: ActionFinished) -> None:
        """Pass an outcome on, whether or not this life of ours had asked for it."""
        unit = Unit(finished.kind, finished.request_key)
        self._given.pop(unit, None)
        self._interruptions.pop(unit, None)
        self._record(
            RecordOutcome(
                finished.kind,
                finished.request_key,
                finished.outcome,
                run_id=finished.run_id,
                runner=finished.runner,
            )
        )

    def _action_interrupted(self, interrupted: ActionInterrupted) -> None:
        unit = Unit(interrupted.kind, interrupted.request_key)
        self._given.pop(unit, None)
        count = self._interruptions[unit] = self._interruptions.get(unit, 0) + 1
        self._retry_after(
            unit,
            retry_delay_s(
                count, min_s=self._retry.min_s, max_s=self._retry.max_s, jitter=self._random()
            ),
        )
        self._say_if_settled()

    def _outcome_recorded(self, recorded: OutcomeRecorded) -> None:
        message = recorded.recorded
        unit = Unit(message.kind, message.request_key)
        if self._unrecorded.pop(unit, None) is None:
            return  # acknowledged before, and sent again in between
        if message.outcome.status is OutcomeStatus.DONE:
            self._unmet.discard(unit)
        else:
            self._unmet.add(unit)
        if message.run_id is None or self._logged.get(unit) != message.run_id:
            self._logged[unit] = message.run_id
            log_outcome(self._log, recorded)
        if recorded.retry_in_s is not None:
            self._retry_after(unit, recorded.retry_in_s)
        self._say_if_settled()

    def _send_again(self) -> None:
        """Repeat what the store may have lost with its mailbox; it knows what it has."""
        if self._planning is not None:
            self._directory.tell(MARKER_STORE, ReadMarkers(self._planning.number))
        for message in self._unrecorded.values():
            self._directory.tell(MARKER_STORE, message)

    def _say_if_settled(self) -> None:
        if self._planned and not (
            self._planning
            or self._again
            or self._given
            or self._unrecorded
            or self._interruptions
            or self._turns.waiting(self._clock.monotonic()).keys() & self._unmet
        ):
            self._on_settled(Settled(tuple(sorted(self._unmet))))

    # Timers

    def _retry_after(self, unit: Unit, delay_s: float) -> None:
        if not self._is_draining:
            self._unit_timers.set(unit, delay_s)

    def _arm_resync(self) -> None:
        if not self._is_draining:
            self._resync_timer = self._timers.call_later(self._resync_s, self._later(ResyncDue()))

    def _later(self, message: object) -> Callable[[], object]:
        return lambda: self._directory.tell(RECONCILER, message)

    def _cancel_timers(self) -> None:
        self._unit_timers.cancel_all()
        if self._resync_timer is not None:
            self._resync_timer.cancel()

    def _drain(self) -> None:
        self._is_draining = True
        self._planning = self._again = None
        self._cancel_timers()
