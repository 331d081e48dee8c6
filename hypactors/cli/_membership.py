"""Changing which fleet the machine is in, whether a daemon runs or not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypactors import control
from hypactors.actors import own_home
from hypactors.config import reset_to_seed
from hypactors.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.paths import HypHome

_ANSWER_S = 10.0


def runs_daemon(home: HypHome) -> bool:
    """Say whether a daemon of ours answers on this home."""
    try:
        control.request(home, "ping", timeout_s=_ANSWER_S)
    except ControlError:
        return False
    return True


def change_seed(home: HypHome, change: Callable[[], object]) -> tuple[bool, bool]:
    """Change the seed and begin anew from it; say if a config was superseded, and if a daemon runs.

    A daemon that runs is the owner of all the rest: it is asked to begin anew. Without one this
    process owns the home meanwhile. Raises ``HomeBusyError`` when somebody owns it who does not
    answer, ``ControlError`` when a daemon stopped answering, and ``OSError``.
    """
    if runs_daemon(home):
        change()
        answer = control.request(home, "reload", {"reset_to_seed": True}, timeout_s=_ANSWER_S)
        return answer.get("superseded") is True, True
    with own_home(home):
        change()
        return reset_to_seed(home), False


def why(error: OSError) -> str:
    """Return the reason of a failed call, without its path: the caller names that."""
    return error.strerror or os.strerror(error.errno or 0)
