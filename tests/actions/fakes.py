"""Handlers that do as they are told, and passes without actors.

A ``PassDriver`` waits for every runner, which the daemon never does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypactors.actions._handler import (
    ActionContext,
    Dispatched,
    ProviderFault,
    ProviderRef,
    perform_safely,
    reverse_safely,
)
from hypactors.actions._planning import (
    ForgetUnit,
    PerformUnit,
    ReverseUnit,
    SkipUnit,
    Unit,
    plan_pass,
)
from hypactors.actions._store import read_markers, save_markers
from hypactors.actions._transitions import marker_after
from hypactors.config import ConfigDocument
from hypactors.messages import DesiredAction, Outcome, OutcomeStatus, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from hypactors.actions._handler import Handler
    from hypactors.actions._markers import Marker, MarkerBook
    from hypactors.clock import Clock
    from hypactors.paths import HypHome

Scripted = Outcome | Exception | None


class FakeHandler:
    """Wants ``wanted``, and performs with the next of ``outcomes``, or done when none is left.

    An exception in a script is raised. ``performed`` has the request keys in order.
    """

    def __init__(self, kind: str = "fake", wanted: Sequence[str] = ("unit",)) -> None:
        self.kind = kind
        self.wanted: list[str] = list(wanted)
        self.undecided: list[str] = []
        self.desired_error: Exception | None = None
        self.outcomes: deque[Scripted] = deque()
        self.performed: list[str] = []

    def desired(self, ctx: ActionContext) -> Sequence[DesiredAction | Undecided]:  # noqa: ARG002 - knows without
        if self.desired_error is not None:
            raise self.desired_error
        undecided = [Undecided(key, "cannot tell") for key in self.undecided]
        return [*map(DesiredAction, self.wanted), *undecided]

    def perform(self, action: DesiredAction, ctx: ActionContext) -> Outcome | Dispatched:  # noqa: ARG002
        self.performed.append(action.request_key)
        return _next(self.outcomes)


class FakeReversibleHandler(FakeHandler):
    """Can undo too, with the next of ``undo_outcomes``; ``reversed`` has keys and markers."""

    def __init__(self, kind: str = "fake", wanted: Sequence[str] = ("unit",)) -> None:
        super().__init__(kind, wanted)
        self.undo_outcomes: deque[Scripted] = deque()
        self.reversed: list[tuple[str, Marker]] = []

    def reverse(self, request_key: str, ctx: ActionContext, marker: Marker) -> Outcome:  # noqa: ARG002
        self.reversed.append((request_key, marker))
        return _next(self.undo_outcomes)


class FakeFreshnessHandler(FakeReversibleHandler):
    """Its done units are as fresh as ``freshness`` says; an exception there is raised."""

    freshness: bool | Exception | None = True

    def is_current(self, marker: Marker, action: DesiredAction, ctx: ActionContext) -> bool:  # noqa: ARG002
        if isinstance(self.freshness, Exception):
            raise self.freshness
        return self.freshness  # type: ignore[return-value]  # None is what a broken hook returns


@dataclass(frozen=True, slots=True)
class PassResult:
    """What one pass did with one unit. Forgetting is silent and yields none."""

    kind: str
    request_key: str
    outcome: str
    rows: int | None = None
    reason: str | None = None
    attempts: int | None = None


@dataclass
class PassDriver:
    """Runs whole passes over the marker file of a home, as one restarted daemon after another.

    Every pass reads the file anew and writes each outcome as it comes. ``run_dispatched`` stands
    for the runners.
    """

    home: HypHome
    clock: Clock
    config: ConfigDocument = field(default_factory=ConfigDocument)
    providers: Sequence[ProviderRef] = ()
    faults: Sequence[ProviderFault] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    run_dispatched: Callable[[DesiredAction], Outcome] = lambda _: Outcome(OutcomeStatus.DONE)
    failed_handlers: list[str] = field(default_factory=list)

    def context(self) -> ActionContext:
        return ActionContext(
            self.config, self.providers, self.environ, self.clock.now(), self.faults
        )

    def book(self) -> MarkerBook:
        return read_markers(self.home).book

    def run(
        self, *handlers: Handler, busy: Collection[Unit] = (), retry_all: bool = True
    ) -> list[PassResult]:
        ctx = self.context()
        plan = plan_pass(
            handlers, ctx, self.book(), busy=busy, retry_all=retry_all, now=self.clock.now()
        )
        self.failed_handlers += [failure.kind for failure in plan.failures]
        results = []
        for step in plan.steps:
            match step:
                case PerformUnit():
                    results.append(self._perform(step, ctx))
                case ReverseUnit():
                    results.append(self._reverse(step, ctx))
                case ForgetUnit(kind=kind, request_key=key):
                    self._save(self.book().without(kind, key))
                case SkipUnit(kind=kind, request_key=key):
                    results.append(PassResult(kind, key, "skipped"))
        return results

    def _perform(self, step: PerformUnit, ctx: ActionContext) -> PassResult:
        kind, key = step.handler.kind, step.action.request_key
        outcome = perform_safely(step.handler, step.action, ctx)
        if isinstance(outcome, Dispatched):
            outcome = self.run_dispatched(step.action)
        marker = marker_after(step.marker, key, outcome, now=self.clock.now())
        self._save(self.book().with_marker(kind, key, marker))
        return PassResult(
            kind, key, outcome.status, marker.rows, marker.reason, attempts=marker.attempts
        )

    def _reverse(self, step: ReverseUnit, ctx: ActionContext) -> PassResult:
        kind, key = step.handler.kind, step.request_key
        outcome = reverse_safely(step.handler, key, ctx, step.marker)
        if outcome.status is not OutcomeStatus.DONE:
            return PassResult(kind, key, "failed", reason=outcome.reason)
        self._save(self.book().without(kind, key))
        return PassResult(kind, key, "reversed")

    def _save(self, book: MarkerBook) -> None:
        if book != self.book() or read_markers(self.home).problems:
            save_markers(self.home, book)


def _next(script: deque[Scripted]) -> Outcome:
    scripted = script.popleft() if script else Outcome(OutcomeStatus.DONE)
    if isinstance(scripted, Exception):
        raise scripted
    return scripted  # type: ignore[return-value]  # a hook that returns nothing is what it plays
