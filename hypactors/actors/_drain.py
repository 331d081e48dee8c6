"""Letting live imports settle when the daemon stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.actors._daemon_events import StopRequested
from hypactors.actors._system_context import TreeIsLost
from hypactors.messages import StopImport

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.actors._daemon_events import DaemonEvent
    from hypactors.actors._system import System
    from hypactors.clock import Clock
    from hypactors.settings import Settings

KILL_TIMEOUT_S = 5.0
"""How long a killed import may take to be gone; only one stuck in the kernel does."""


class Drain:
    """Waits for live imports, then asks them to end, then ends them; a person may hurry it.

    ``next_event`` waits until a deadline (monotonic seconds), ``tell`` speaks to the person.
    """

    def __init__(
        self,
        system: System,
        settings: Settings,
        *,
        clock: Clock,
        next_event: Callable[[float], DaemonEvent | None],
        tell: Callable[[str], None],
    ) -> None:
        self._system = system
        self._settings = settings
        self._clock = clock
        self._next_event = next_event
        self._tell = tell

    def run(self, *, now: bool) -> None:
        """Begin nothing new, and return when no import is left or none can be ended.

        ``now`` leaves the patient step out. What is left running is named, and found again by the
        next daemon.
        """
        self._system.drain()
        steps: list[tuple[float, Callable[[], None]]] = [
            (self._settings.settle_s, self._announce),
            (self._settings.grace_s, lambda: self._stop_imports(at_once=False)),
            (KILL_TIMEOUT_S, lambda: self._stop_imports(at_once=True)),
        ]
        for budget_s, act in steps[1:] if now else steps:
            if not self._system.busy_runners():
                return
            act()
            self._wait_until_idle(budget_s)
        if self._system.busy_runners():
            self._tell(f"left running: {self._names()}")

    def _announce(self) -> None:
        self._tell(
            f"waiting up to {self._settings.settle_s:g} s for {self._names()} to finish; "
            "signal again to interrupt"
        )

    def _stop_imports(self, *, at_once: bool) -> None:
        for name in self._system.busy_runners():
            self._system.directory.tell(name, StopImport(at_once=at_once))

    def _wait_until_idle(self, budget_s: float) -> None:
        """Wait until no runner is busy, the budget is spent, or somebody asks again."""
        deadline = self._clock.monotonic() + budget_s
        while self._system.busy_runners():
            if isinstance(self._next_event(deadline), StopRequested | TreeIsLost | None):
                return

    def _names(self) -> str:
        return ", ".join(self._system.busy_runners())
