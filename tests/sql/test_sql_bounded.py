"""A query works for no longer than it may, and what waits for its reader is no work."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from hypactors.clock import ManualClock
from hypactors.errors import QueryError
from hypactors.lake import Lake, ReadersLock
from hypactors.sql import query
from hypactors.sql._bounded import BoundedWork
from tests.sql.cached import made_up, put

if TYPE_CHECKING:
    from pathlib import Path

TRAP_S = 20.0
ENDLESS = "select count(*) from range(1000000000) a, range(1000000000) b"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    put(lake, [made_up()])
    return lake


def test_a_query_that_takes_too_long_is_stopped_and_lets_go_of_the_cache(lake: Lake) -> None:
    with pytest.raises(QueryError, match=r"stopped after 0\.1 s, the time limit; --timeout"):
        list(query(lake, ENDLESS, timeout_s=0.1).rows)

    alone = ReadersLock.try_alone(lake.folder)
    assert alone is not None
    alone.close()


def test_one_that_gives_rows_for_too_long_is_stopped_as_well(lake: Lake) -> None:
    rows = query(lake, "select * from range(100000000000)", timeout_s=0.1).rows

    with pytest.raises(QueryError, match="the time limit"):
        for _ in rows:
            pass


def test_a_query_in_time_is_whole_and_leaves_no_thread(lake: Lake) -> None:
    before = threading.active_count()

    assert list(query(lake, "select 1", timeout_s=TRAP_S).rows) == [(1,)]

    assert threading.active_count() == before


def test_what_a_reader_does_between_two_rows_costs_nothing() -> None:
    clock = ManualClock()
    bounded = BoundedWork(lambda: pytest.fail("interrupted"), TRAP_S, clock.monotonic)
    assert bounded.run(lambda: 1) == 1
    clock.advance(10 * TRAP_S)
    assert bounded.run(lambda: 2) == 2
    bounded.close()


def test_what_is_worked_adds_up() -> None:
    clock = ManualClock()
    interrupted = threading.Event()
    bounded = BoundedWork(interrupted.set, TRAP_S, clock.monotonic)
    bounded.run(lambda: clock.advance(2 * TRAP_S))

    with pytest.raises(QueryError, match="the time limit"):
        bounded.run(lambda: interrupted.wait(TRAP_S))
    assert interrupted.is_set()
    bounded.close()


def test_work_is_interrupted_until_it_ends() -> None:
    """An interrupt that comes too early is forgotten by DuckDB."""
    interrupts = threading.Semaphore(0)

    def deaf_at_first() -> None:
        for _ in range(3):
            assert interrupts.acquire(timeout=TRAP_S)

    bounded = BoundedWork(interrupts.release, 0.01)
    with pytest.raises(QueryError, match=r"after 0\.01 s"):
        bounded.run(deaf_at_first)
    bounded.close()


def test_an_error_of_the_work_is_the_error_of_the_run() -> None:
    bounded = BoundedWork(lambda: None, None)
    with pytest.raises(ZeroDivisionError):
        bounded.run(lambda: 1 // 0)
    bounded.close()
