"""What the apply engine decides: how long a trial lasts, when it is lost, who is banned.

Pure functions from one state to the next (config-control §5, contract §7).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hypactors.clock import iso_ms, parse_iso
from hypactors.config._document import RequestSink
from hypactors.config._state import SLOTS, BadEtag, Probation, Rollback

if TYPE_CHECKING:
    from datetime import datetime

    from hypactors.config._document import ConfigDocument
    from hypactors.config._state import ControlState, Slot

CENTRAL_PLUGIN = "@hypaware/central"

DEFAULT_POLL_S = 300.0
SHORTEST_POLL_S = 5.0
LONGEST_POLL_S = 3600.0
"""What the central sink accepts. A document must not stretch its own trial beyond that."""

POLLS_IN_A_WINDOW = 3
SHORTEST_WINDOW_S = 120.0

LAST_BOOT = 3
"""A machine that boots this often under one trial never gets to the end of its window."""

BANS_KEPT = 16
RETRY_AFTER_S = (3600.0, 6 * 3600.0, 24 * 3600.0)
"""The waits of a soft ban, by the number of tries; the last one for all that follow."""


def window_s(document: ConfigDocument) -> float:
    """Return how long this document may take until its first successful poll."""
    polls = [
        _poll_s((sink.config or {}).get("poll_interval_seconds"))
        for sink in document.sinks.values()
        if isinstance(sink, RequestSink) and sink.plugin == CENTRAL_PLUGIN
    ]
    return max(POLLS_IN_A_WINDOW * min(polls, default=DEFAULT_POLL_S), SHORTEST_WINDOW_S)


def _poll_s(value: object) -> float:
    # A bool is an int to Python, never a number to a config.
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        return DEFAULT_POLL_S
    return float(min(max(value, SHORTEST_POLL_S), LONGEST_POLL_S))


def begin_trial(
    state: ControlState,
    etag: str,
    *,
    slot: Slot,
    previous: Slot | None,
    lasting_s: float,
    now: datetime,
) -> ControlState:
    """Put a config on trial. How often it was tried before stays known."""
    trial = Probation(
        etag=etag,
        applied_at=iso_ms(now),
        until=iso_ms(now + timedelta(seconds=lasting_s)),
        slot=slot,
        previous_slot=previous,
        window_s=lasting_s,
    )
    return _with_bans(replace(state, probation=trial), bans_of(state), but=etag)


def next_boot(trial: Probation) -> Probation:
    """Count a boot under a trial of ours.

    A trial of the other client whose end cannot be read gets a window of ours: it must neither
    last for ever nor be lost at once.
    """
    if trial.window_s is not None:
        return replace(trial, boots=trial.boots + 1)
    if _until(trial) is None:
        return replace(trial, window_s=POLLS_IN_A_WINDOW * DEFAULT_POLL_S, elapsed_s=0.0, boots=1)
    return trial


def is_lost_at_boot(trial: Probation, now: datetime) -> bool:
    """Say whether the trial ended while nobody looked. ``boots`` counts this boot too."""
    until = _until(trial)
    is_past = until is not None and until <= now
    return is_lost(trial, now) or (is_past and trial.boots >= LAST_BOOT)


def is_lost(trial: Probation, now: datetime) -> bool:
    """Say whether the window has run out."""
    return remaining_s(trial, now) <= 0


def remaining_s(trial: Probation, now: datetime) -> float:
    """Return what is left of the window, on the clock that the trial runs on."""
    if trial.window_s is not None:
        return trial.window_s - trial.elapsed_s
    until = _until(trial)
    return (until - now).total_seconds() if until else DEFAULT_POLL_S


def _until(trial: Probation) -> datetime | None:
    try:
        return parse_iso(trial.until) if trial.until else None
    except (ValueError, OverflowError):
        return None


def rollback_slot(trial: Probation) -> Slot | None:
    """Return the slot to go back to, None when the trial is on the only config there is."""
    for slot in SLOTS:
        if trial.previous_slot == slot and trial.slot != slot:
            return slot
    return None


def win_trial(state: ControlState) -> ControlState:
    """End the trial; what was held against its config is forgotten, as it has proved good."""
    if state.probation is None:
        return state
    return forget_ban(replace(state, probation=None), state.probation.etag)


def lose_trial(state: ControlState, trial: Probation, reason: str, now: datetime) -> ControlState:
    """End the trial, and remember its config as bad."""
    rolled_back = Rollback(trial.etag, reason, iso_ms(now), detail=None)
    ended = replace(state, probation=None, last_rollback=rolled_back)
    return ban_etag(ended, trial.etag, reason, now)


def ban_etag(state: ControlState, etag: str, reason: str, now: datetime) -> ControlState:
    """Remember a revision as bad, the newest of all."""
    tries = sum(ban.tries for ban in bans_of(state) if ban.etag == etag) + 1
    newest = BadEtag(etag, reason, iso_ms(now), tries, _retry_after(reason, tries))
    others = tuple(ban for ban in bans_of(state) if ban.etag != etag)
    return _with_bans(state, (*others, newest)[-BANS_KEPT:])


def forget_ban(state: ControlState, etag: str) -> ControlState:
    others = tuple(ban for ban in bans_of(state) if ban.etag != etag)
    return _with_bans(state, others)


def is_banned(state: ControlState, etag: str) -> bool:
    return any(ban.is_banned for ban in bans_of(state) if ban.etag == etag)


def credit_polls(state: ControlState, seconds: float) -> ControlState:
    """Bring every soft ban nearer to its end, by time in which polls succeeded."""
    bans = tuple(
        ban
        if ban.retry_after is None
        else replace(ban, retry_after=max(ban.retry_after - seconds, 0.0))
        for ban in bans_of(state)
    )
    return replace(state, bad_etags=bans)


def shortest_ban_s(state: ControlState) -> float | None:
    """Return when the next soft ban ends; None when none is running."""
    waits = [ban.retry_after for ban in bans_of(state) if ban.retry_after]
    return min(waits, default=None)


def bans_of(state: ControlState) -> tuple[BadEtag, ...]:
    """Return all bans, newest last, also one that only the other client has written down."""
    newest = state.bad_etag
    if newest is None or any(ban.etag == newest.etag for ban in state.bad_etags):
        return state.bad_etags
    adopted = replace(newest, tries=1, retry_after=_retry_after(newest.reason, 1), unknown={})
    return (*state.bad_etags, adopted)[-BANS_KEPT:]


def _retry_after(reason: str | None, tries: int) -> float | None:
    """Say when a revision may be tried again: an expired window is often a server that is down."""
    if reason != "probation_expired":
        return None
    return RETRY_AFTER_S[min(tries, len(RETRY_AFTER_S)) - 1]


def _with_bans(state: ControlState, bans: tuple[BadEtag, ...], *, but: str = "") -> ControlState:
    """Set the bans. The one that the other client reads is the newest, never the one on trial."""
    shown = next((ban for ban in reversed(bans) if ban.etag != but), None)
    old = state.bad_etag
    if shown and old and (shown.etag, shown.recorded_at) == (old.etag, old.recorded_at):
        shown = old
    return replace(state, bad_etags=bans, bad_etag=shown)
