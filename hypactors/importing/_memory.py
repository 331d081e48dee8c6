"""How an import asks for memory."""

from __future__ import annotations

import ctypes
import os

_M_ARENA_MAX = -8


def be_frugal() -> None:
    """Keep what is freed from being kept: call it before anything of the data plane is loaded.

    Batches of some megabytes come and go on a handful of threads. Arrow's own pools and the C
    library's arenas, one a thread, would each hold on to the largest they had, and that is more
    than all else that an import needs.
    """
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # of the GNU library alone
        mallopt(_M_ARENA_MAX, 1)
