"""One pass: the gap between the wish and the record, as a list of steps (client-actions §2)."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hypactors.actions._handler import ChecksFreshness, Extendable, Reversible
from hypactors.actions._markers import FAILED, REFUSED
from hypactors.actions._text import describe_error
from hypactors.actions._transitions import needs_reverse
from hypactors.messages import Undecided

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from hypactors.actions._handler import ActionContext, Handler
    from hypactors.actions._markers import Marker, MarkerBook
    from hypactors.messages import DesiredAction

JITTER_SHARE = 0.1
"""Back-off grows by up to this share, so that a fleet does not retry in step (contract §1)."""


class Unit(NamedTuple):
    """One thing a handler wants done, by name."""

    kind: str
    request_key: str


class SkipReason(enum.StrEnum):
    """Why a pass leaves a unit alone."""

    DONE = "done"
    REFUSED = "refused"
    IN_FLIGHT = "in flight"
    WAITING = "waiting for its next attempt"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class PerformUnit:
    """Perform a wanted unit. ``marker`` is what it would replace."""

    handler: Handler
    action: DesiredAction
    marker: Marker | None


@dataclass(frozen=True, slots=True)
class ReverseUnit:
    """Undo a unit that is no longer wanted."""

    handler: Reversible
    request_key: str
    marker: Marker


@dataclass(frozen=True, slots=True)
class ForgetUnit:
    """Drop a marker that records nothing anyone could undo."""

    kind: str
    request_key: str


@dataclass(frozen=True, slots=True)
class SkipUnit:
    """Leave a unit as it is."""

    kind: str
    request_key: str
    why: SkipReason
    detail: str | None = None

    @property
    def is_done(self) -> bool:
        return self.why is SkipReason.DONE


Step = PerformUnit | ReverseUnit | ForgetUnit | SkipUnit


@dataclass(frozen=True, slots=True)
class HandlerFailure:
    """A handler that could not say what it wants; nothing of its kind is touched in this pass."""

    kind: str
    error: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one pass does, in the order of the handlers."""

    steps: tuple[Step, ...]
    failures: tuple[HandlerFailure, ...] = ()


def plan_pass(
    handlers: Sequence[Handler],
    ctx: ActionContext,
    markers: MarkerBook,
    *,
    busy: Collection[Unit],
    retry_all: bool,
    hurried: Collection[Unit] = (),
    longest_wait_s: float = math.inf,
    now: datetime,
) -> Plan:
    """Compare what the handlers want with what the markers record.

    ``busy`` units are neither performed nor reversed. On an edge (``retry_all``) every failure is
    tried again; on a timer only one whose next attempt is due, or that is ``hurried``: somebody
    asked for it, and then a done one does what it lacks, if its handler says so. No wait
    is longer than ``longest_wait_s``: one that seems to be is from before the clock was set back.
    """
    steps: list[Step] = []
    failures: list[HandlerFailure] = []
    for handler in handlers:
        try:
            wishes = _by_key(handler.desired(ctx))
        except Exception as error:  # noqa: BLE001 - a handler may raise anything, and must stop nobody
            failures.append(HandlerFailure(handler.kind, describe_error(error)))
            continue
        recorded = markers.bucket(handler.kind)
        for key, action in wishes.items():
            unit = Unit(handler.kind, key)
            if isinstance(action, Undecided):
                steps.append(SkipUnit(*unit, SkipReason.BLOCKED, action.reason))
                continue
            marker = recorded.get(key)
            if unit in hurried and unit not in busy:
                missing = _missing(handler, marker, action, ctx)
                if missing is not None:
                    steps.append(PerformUnit(handler, missing, marker))
                    continue
            why = _why_not(
                handler,
                action,
                marker,
                ctx,
                is_busy=unit in busy,
                timer_at=None if retry_all or unit in hurried else now,
                longest_wait_s=longest_wait_s,
            )
            if why is None:
                steps.append(PerformUnit(handler, action, marker))
            else:
                steps.append(SkipUnit(*unit, why))
        if isinstance(handler, Reversible):
            unwanted = {key: marker for key, marker in recorded.items() if key not in wishes}
            steps.extend(_undo(handler, unwanted, busy))
    return Plan(tuple(steps), tuple(failures))


def retry_delay_s(attempts: int, *, min_s: float, max_s: float, jitter: float) -> float:
    """Return how long to wait after the n-th failure in a row; ``jitter`` is in [0, 1)."""
    doublings = min(max(attempts - 1, 0), 64)  # far beyond any cap, and safely a float
    return min(min_s * 2.0**doublings, max_s) * (1 + JITTER_SHARE * jitter)


def _by_key(wishes: Sequence[DesiredAction | Undecided]) -> Mapping[str, DesiredAction | Undecided]:
    """Return the wishes by request key, in their order; of two equal keys the first counts."""
    by_key: dict[str, DesiredAction | Undecided] = {}
    for wish in wishes:
        by_key.setdefault(wish.request_key, wish)
    return by_key


def _why_not(
    handler: Handler,
    action: DesiredAction,
    marker: Marker | None,
    ctx: ActionContext,
    *,
    is_busy: bool,
    timer_at: datetime | None,
    longest_wait_s: float,
) -> SkipReason | None:
    """Return why a wanted unit is left alone, or None when it is to be performed."""
    if is_busy:
        return SkipReason.IN_FLIGHT
    if marker is None:
        return None
    if marker.status == REFUSED:
        return SkipReason.REFUSED
    if marker.is_done:
        return SkipReason.DONE if _is_current(handler, marker, action, ctx) else None
    if marker.status == FAILED and timer_at is not None:
        due = marker.next_attempt_at
        wait_s = 0.0 if due is None else (due - timer_at).total_seconds()
        return SkipReason.WAITING if 0 < wait_s <= longest_wait_s else None
    return None


def _is_current(
    handler: Handler, marker: Marker, action: DesiredAction, ctx: ActionContext
) -> bool:
    """Only an explicit false is stale: a broken check must not repeat an effect for ever."""
    if not isinstance(handler, ChecksFreshness):
        return True
    try:
        return handler.is_current(marker, action, ctx) is not False
    except Exception:  # noqa: BLE001 - a handler may raise anything, and must stop nobody
        return True


def _missing(
    handler: Handler, marker: Marker | None, action: DesiredAction, ctx: ActionContext
) -> DesiredAction | None:
    """Return what a done unit lacks; one that is stale lacks nothing: it is done as a whole."""
    if marker is None or not marker.is_done or not isinstance(handler, Extendable):
        return None
    if not _is_current(handler, marker, action, ctx):
        return None
    try:
        return handler.missing(marker, action, ctx)
    except Exception:  # noqa: BLE001 - a handler may raise anything, and must stop nobody
        return None


def _undo(
    handler: Reversible, unwanted: Mapping[str, Marker], busy: Collection[Unit]
) -> Iterator[Step]:
    for key, marker in unwanted.items():
        if Unit(handler.kind, key) in busy:
            yield SkipUnit(handler.kind, key, SkipReason.IN_FLIGHT)
        elif needs_reverse(marker):
            yield ReverseUnit(handler, key, marker)
        else:
            yield ForgetUnit(handler.kind, key)
