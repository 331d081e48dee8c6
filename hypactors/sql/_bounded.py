"""Work of DuckDB that ends in time, or when somebody presses Ctrl-C."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from hypactors.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# An interrupt that comes before DuckDB has begun is forgotten, so that it is given again.
_INTERRUPT_EVERY_S = 0.05


class BoundedWork:
    """Runs one thing after the other in a thread of its own, for ``seconds`` altogether.

    Whoever waits is in Python then and can be interrupted, as DuckDB by itself often cannot. What
    happens between two things costs nothing: a reader may take its time.
    """

    def __init__(
        self,
        interrupt: Callable[[], None],
        seconds: float | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interrupt = interrupt
        self._seconds = seconds
        self._left_s = seconds
        self._monotonic = monotonic
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="query")

    def run(self, work: Callable[[], T]) -> T:
        """Return what the work returns. Raises ``QueryError`` when there is no time left."""
        started = self._monotonic()
        future = self._thread.submit(work)
        try:
            done, _ = wait([future], self._left_s)
        except BaseException:
            self._end(future)
            raise
        if not done:
            self._end(future)
            raise QueryError(
                f"stopped after {self._seconds:g} s, the time limit; --timeout sets another"
            )
        if self._left_s is not None:
            self._left_s = max(0.0, self._left_s - (self._monotonic() - started))
        return future.result()

    def close(self) -> None:
        self._thread.shutdown()

    def _end(self, future: Future[T]) -> None:
        while not future.done():
            self._interrupt()
            wait([future], _INTERRUPT_EVERY_S)
