"""A worker that crashes now and then, and a supervisor that starts it again.

python examples/supervision/restarted.py
"""

from __future__ import annotations

import queue
from typing import Any

from hypactors.supervision import (
    Backoff,
    ChildContext,
    ChildCrashed,
    ChildSpec,
    ChildStarted,
    Directory,
    StopChildren,
    SupervisedActor,
    SupervisionEvent,
    Supervisor,
    ThreadTimers,
    TreeStarted,
)


class Worker(SupervisedActor):
    def setup(self) -> None:
        print(f"{self._context.name}: life {self._context.incarnation} begins")

    def receive(self, message: Any) -> Any:
        return 100 // message

    def teardown(self) -> None:
        print(f"{self._context.name}: stopped")


def main() -> None:
    events: queue.SimpleQueue[SupervisionEvent] = queue.SimpleQueue()
    directory, timers = Directory(), ThreadTimers()
    supervisor = Supervisor.start(
        ChildContext("supervisor", 1, directory, report=lambda _notice: None),
        children=[ChildSpec("worker", Worker.start)],
        timers=timers,
        observe=events.put,
        backoff=Backoff(initial_s=0.01, jitter=0.0),
    )

    def wait_for(kind: type) -> SupervisionEvent:
        while not isinstance(event := events.get(timeout=5), kind):
            pass
        return event

    wait_for(TreeStarted)
    print("100 / 5 =", directory.ask("worker", 5, timeout_s=1))
    directory.tell("worker", 0)
    print("crashed:", repr(wait_for(ChildCrashed).error))  # type: ignore[union-attr]
    wait_for(ChildStarted)
    print("100 / 4 =", directory.ask("worker", 4, timeout_s=1))
    directory.ask("supervisor", StopChildren(within_s=5), timeout_s=6)
    supervisor.stop()
    timers.close()


if __name__ == "__main__":
    main()
