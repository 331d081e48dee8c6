"""A supervisor on manual timers, with a record of everything it let its observer know."""

from __future__ import annotations

import faulthandler
import queue
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from hypactors.supervision import (
    Backoff,
    ChildContext,
    ChildEnded,
    ChildSpec,
    Directory,
    Intensity,
    ListChildren,
    Notice,
    StopChildren,
    Strategy,
    SupervisedActor,
    SupervisionEvent,
    Supervisor,
    TreeStarted,
)
from hypactors.supervision.testing import ManualTimers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRAP_S = 5.0
"""The time trap on every wait: nothing here takes more than milliseconds."""

INTENSITY = Intensity(max_restarts=3, period_s=60)
BACKOFF = Backoff(initial_s=1.0, maximum_s=8.0, jitter=0.0)

TEST_TRAP_S = 60.0
"""The time trap on a whole test, for a wait that nobody thought of."""

Event = TypeVar("Event")


@pytest.fixture(autouse=True)
def time_trap() -> Iterator[None]:
    """Fail a test that hangs, and show where each thread was: the others still run."""

    def spring(*_signal: object) -> None:
        faulthandler.dump_traceback(all_threads=True)
        pytest.fail(f"not over after {TEST_TRAP_S:g} s")

    before = signal.signal(signal.SIGALRM, spring)
    signal.setitimer(signal.ITIMER_REAL, TEST_TRAP_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class Tree:
    """A running supervisor and what it said."""

    def __init__(self) -> None:
        self.timers = ManualTimers()
        self.directory = Directory()
        self.ended: queue.Queue[Notice] = queue.Queue()
        self._events: queue.Queue[SupervisionEvent] = queue.Queue()
        self._supervisor: Any = None

    def start(
        self,
        *children: ChildSpec,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = INTENSITY,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self._supervisor = Supervisor.start(
            ChildContext("supervisor", 1, self.directory, self.ended.put),
            children=children,
            timers=self.timers,
            observe=self._events.put,
            strategy=strategy,
            intensity=intensity,
            backoff=backoff,
            random=lambda: 0.0,
        )

    def start_and_wait(self, *children: ChildSpec, **options: Any) -> None:
        self.start(*children, **options)
        self.wait_for(TreeStarted)

    def wait_for(self, kind: type[Event]) -> Event:
        """Return the next event of a kind; earlier ones are dropped."""
        while True:
            event = self._events.get(timeout=TRAP_S)
            if isinstance(event, kind):
                return event

    def wait_for_states(self, expected: dict[str, str], supervisor: str = "supervisor") -> None:
        """Wait until the children of a supervisor stand as expected."""
        deadline = time.monotonic() + TRAP_S
        while (found := self.states(supervisor)) != expected:
            assert time.monotonic() < deadline, f"{found} did not become {expected}"

    def states(self, supervisor: str = "supervisor") -> dict[str, str]:
        """Return the state of each child by name, after all that the supervisor was told."""
        return {child.name: str(child.state) for child in self.ask(supervisor, ListChildren())}

    def no_event(self) -> bool:
        return self._events.empty()

    def ask(self, name: str, message: object) -> Any:
        return self.directory.ask(name, message, timeout_s=TRAP_S)

    def tell(self, name: str, message: object) -> bool:
        return self.directory.tell(name, message)

    def wait_for_end(self) -> ChildEnded:
        while True:
            notice = self.ended.get(timeout=TRAP_S)
            if isinstance(notice, ChildEnded):
                return notice

    def stop(self) -> None:
        if self._supervisor is not None and self._supervisor.is_alive():
            self._supervisor.ask(StopChildren(), timeout=TRAP_S)
            self._supervisor.stop(timeout=TRAP_S)


@pytest.fixture
def tree() -> Iterator[Tree]:
    before = set(threading.enumerate())
    tree = Tree()
    yield tree
    tree.stop()
    for thread in set(threading.enumerate()) - before:
        thread.join(TRAP_S)
        assert not thread.is_alive(), f"{thread} was left behind"


class Steady(SupervisedActor):
    """Answers what it is asked with its name and incarnation; a callable is run in its thread."""

    def __init__(self, context: ChildContext, log: list[str] | None = None) -> None:
        super().__init__(context)
        self.name = context.name
        self._log = log

    def setup(self) -> None:
        self._note("started")

    def receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        return (self._context.name, self._context.incarnation)

    def teardown(self) -> None:
        self._note("stopped")

    def _note(self, what: str) -> None:
        if self._log is not None:
            self._log.append(f"{self._context.name} {what}")


def steady(name: str, log: list[str] | None = None, **options: Any) -> ChildSpec:
    return ChildSpec(name, lambda context: Steady.start(context, log), **options)


def raising(error: BaseException) -> Callable[[Steady], None]:
    """Return a message that makes a ``Steady`` actor die of ``error``."""

    def die(_actor: Steady) -> None:
        raise error

    return die


def hold(tree: Tree, name: str) -> threading.Event:
    """Keep an actor in one message until the event that is returned is set."""
    release, held = threading.Event(), threading.Event()

    def wait(_actor: object) -> None:
        held.set()
        release.wait(TRAP_S)

    tree.tell(name, wait)
    assert held.wait(TRAP_S)
    return release
