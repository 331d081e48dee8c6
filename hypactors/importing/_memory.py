"""How an import asks for memory."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_M_ARENA_MAX = -8


def be_frugal() -> None:
    """Keep what is freed from being kept: call it before anything of the data plane is loaded.

    Batches of some megabytes come and go on a handful of threads. Arrow's own pools and the C
    library's arenas, one a thread, would each hold on to the largest they had, and that is more
    than all else that an import needs.
    """
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    mallopt = _of_c_library("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the system what was freed: call it when much was."""
    trim = _of_c_library("malloc_trim")
    if trim is not None:
        trim(0)


def _of_c_library(function: str) -> Callable[..., int] | None:
    """Return a function that only the GNU library has."""
    return getattr(ctypes.CDLL(None), function, None)
