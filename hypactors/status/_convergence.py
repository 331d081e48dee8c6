"""Whether the machine runs what its server wants it to run (status §4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypactors.status._report import ConvergenceRow, ConvergenceState, LinkRow, RemoteConfigRow

MISSED_POLLS = 3
LEAST_SILENCE = timedelta(minutes=10)
"""A server may be slow, or away for a moment."""


def convergence(
    *,
    is_joined: bool,
    remote: RemoteConfigRow,
    link: LinkRow | None,
    is_live: bool,
    applied_at: datetime | None,
    confirmed_at: str | None,
    poll_interval_s: float,
    now: datetime,
) -> ConvergenceRow:
    """Return where the machine stands.

    ``link`` is None without a daemon that polls. ``applied_at`` is when the config in force was
    put there, ``confirmed_at`` when its trial was won. What only a daemon knows is null without
    one.
    """
    probation = remote["probation"]
    return {
        "state": _state(
            is_joined=is_joined,
            remote=remote,
            link=link,
            is_live=is_live,
            applied_at=applied_at,
            silence=max(LEAST_SILENCE, timedelta(seconds=MISSED_POLLS * poll_interval_s)),
            now=now,
        ),
        "running_etag": remote["running_etag"],
        "served_etag": link["served_etag"] if link else None,
        "last_poll_at": link["succeeded_at"] if link else None,
        "confirmed_at": confirmed_at if probation is None else None,
        "until": probation["until"] if probation else None,
    }


def _state(
    *,
    is_joined: bool,
    remote: RemoteConfigRow,
    link: LinkRow | None,
    is_live: bool,
    applied_at: datetime | None,
    silence: timedelta,
    now: datetime,
) -> ConvergenceState:
    if not is_joined:
        return "never_joined"
    if remote["probation"] is not None:
        # Until its own link polls, the tree is still on its way to it.
        is_going_over = is_live and (link is None or link["polled_at"] is None)
        return "applying" if is_going_over else "on_trial"
    if link is not None and link["failures"] and _is_silent(link, silence, now):
        return "stale_poll"
    if _is_rolled_back(remote, applied_at):
        return "rolled_back"
    return "seed" if remote["running_etag"] is None else "converged"


def _is_silent(link: LinkRow, silence: timedelta, now: datetime) -> bool:
    heard = _moment(link["succeeded_at"])
    return heard is None or now - heard > silence


def _is_rolled_back(remote: RemoteConfigRow, applied_at: datetime | None) -> bool:
    """Say whether the last thing that happened to the config is that it was taken back."""
    rollback, bad = remote["last_rollback"], remote["bad_etag"]
    if rollback is None or bad is None or bad["etag"] != rollback["etag"]:
        return False
    at = _moment(rollback["at"])
    return at is None or applied_at is None or applied_at <= at


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
