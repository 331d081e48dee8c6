"""Why a daemon stops, and what it exits with (contract §4)."""

from __future__ import annotations

from dataclasses import dataclass

from hypactors.actors._daemon_events import StopRequested

EXIT_OK = 0
EXIT_CONFIG = 1
"""``--once`` on a machine whose config cannot be loaded."""
EXIT_UNMET = 3
"""``--once``: an action ended failed or refused."""
EXIT_TIMED_OUT = 7
"""``--once``: not all was done in the time given."""
EXIT_GAVE_UP = 70
"""A supervisor gave up: start me anew."""
EXIT_RESTART = 75
"""``--exit-on-apply``: the config changed, start me anew with it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of serving."""

    exit_code: int
    request: StopRequested


def gave_up() -> Verdict:
    return Verdict(EXIT_GAVE_UP, StopRequested("a supervisor gave up"))
