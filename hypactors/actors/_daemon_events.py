"""What the main thread of the daemon waits for, and the signals among it."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypactors.actors._system_context import SystemEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody wants the daemon to stop; ``now`` cuts imports short."""

    why: str
    now: bool = False


@dataclass(frozen=True, slots=True)
class ReloadSignalled:
    """Somebody wants the config to be read again."""


DaemonEvent = SystemEvent | StopRequested | ReloadSignalled


class Signals:
    """Turns SIGTERM, SIGINT and SIGHUP into events while it is entered."""

    def __init__(self, post: Callable[[DaemonEvent], None]) -> None:
        self._post = post  # a SimpleQueue's put may be re-entered from a signal handler
        self._before: dict[int, object] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._handle)

    def __exit__(self, *_exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._post(ReloadSignalled())
        else:
            self._post(StopRequested(f"signal {signal.Signals(number).name}"))
