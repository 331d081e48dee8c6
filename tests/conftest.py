"""The same examples every time, on machines that may be slow: a red run must mean something."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A shell starts what it runs in the background with it ignored, and so would all children be.
signal.signal(signal.SIGINT, signal.default_int_handler)


settings.register_profile(
    "suite",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
