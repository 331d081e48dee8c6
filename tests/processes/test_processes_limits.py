"""When an import has used too much: decided without processes or a clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.processes import MIB, ImportLimits, LimitWatch, Usage

LIMITS = ImportLimits(
    max_runtime_s=3600, no_progress_s=600, memory_bytes=100 * MIB, stdout_bytes=MIB
)


def usage(memory_bytes: int | None = 0, progress: object = None, stdout_bytes: int = 0) -> Usage:
    return Usage(memory_bytes, progress, stdout_bytes)


def test_an_import_within_its_limits_goes_on() -> None:
    watch = LimitWatch(LIMITS, now_s=1000)
    for step in range(60):
        at_the_limit = usage(100 * MIB, step, MIB)
        assert watch.exceeded(1000 + step * 60, at_the_limit) is None


@pytest.mark.parametrize(
    ("now_s", "seen", "reason"),
    [
        (0, usage(100 * MIB + 1), "memory limit: 101 MiB of 100"),
        (0, usage(stdout_bytes=MIB + 1), "it wrote more than 1 MiB to stdout"),
        (3601, usage(progress="new"), "it ran for longer than 1 h"),
        (601, usage(), "no progress for 10 min"),
    ],
)
def test_each_limit_has_its_reason(now_s: float, seen: Usage, reason: str) -> None:
    """Contract §5.6."""
    watch = LimitWatch(LIMITS, now_s=0)
    assert watch.exceeded(now_s, seen) == reason


def test_memory_that_cannot_be_told_is_not_too_much() -> None:
    assert LimitWatch(LIMITS, now_s=0).exceeded(0, usage(None)) is None


def test_progress_begins_the_wait_for_it_anew() -> None:
    watch = LimitWatch(LIMITS, now_s=0)
    assert watch.exceeded(500, usage(progress=1)) is None
    assert watch.exceeded(1100, usage(progress=1)) is None
    assert watch.exceeded(1101, usage(progress=1)) == "no progress for 10 min"
    assert watch.exceeded(1102, usage(progress=0)) is None, "anything else is progress"


def test_what_it_had_run_before_it_was_taken_up_counts() -> None:
    watch = LimitWatch(LIMITS, now_s=50, elapsed_s=3500)
    assert watch.elapsed_s(60) == 3510
    assert watch.exceeded(150, usage()) is None
    assert watch.exceeded(151, usage()) == "it ran for longer than 1 h"


@given(st.lists(st.floats(1, 599), max_size=50))
def test_steady_progress_never_ends_an_import_before_its_time(gaps: list[float]) -> None:
    watch = LimitWatch(LIMITS, now_s=0)
    now_s = 0.0
    for number, gap_s in enumerate(gaps):
        now_s += gap_s
        reason = watch.exceeded(now_s, usage(progress=number))
        assert (reason is None) == (now_s <= LIMITS.max_runtime_s)
