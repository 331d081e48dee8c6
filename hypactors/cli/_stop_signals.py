"""SIGTERM and SIGINT end an import between two commits, never inside one."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Interrupted(BaseException):
    """A signal asked the import to stop.

    Like ``KeyboardInterrupt``: no ``except Exception`` may take it for a failure of what ran.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal_name = signal.Signals(number).name
        self.exit_code = 128 + number


class StopSignals:
    """Raises ``Interrupted`` in the main thread while the context is open.

    Only the first signal counts: what unwinds after it is not disturbed again.
    """

    def __init__(self) -> None:
        self._previous: dict[int, signal._HANDLER] = {}
        self._received: int | None = None
        self._is_shielded = False

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread only; elsewhere there is nothing to catch.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._received is None:
            self._received = number
            if not self._is_shielded:
                raise Interrupted(number)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Hold a signal back until the block is done."""
        self._is_shielded = True
        try:
            yield
        finally:
            self._is_shielded = False
            # Also when the block failed: the signal must not be forgotten over that.
            if self._received is not None:
                raise Interrupted(self._received)
