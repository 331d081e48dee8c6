"""The tree as the daemon builds it, on the home of a stage; its events can be waited for."""

from __future__ import annotations

import os
import queue
import secrets
import sys
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hypactors.actions import ProviderRef, runner_name
from hypactors.actors._config_control import _Tick
from hypactors.actors._names import CENTRAL_LINK, CONFIG_CONTROL, MARKER_STORE, RECONCILER
from hypactors.actors._system import System
from hypactors.actors._system_context import SystemContext, SystemEvent, TreeIsUp
from hypactors.clock import SystemClock
from hypactors.messages import ConfigStaged, PollSucceeded, StageConfig
from hypactors.processes import RunWatch
from hypactors.settings import Settings
from tests.actors.polls import SilentPoller
from tests.actors.stage import CLAUDE, HARMLESS, TRAP_S, Mailbox, Stage
from tests.processes.lab import DEADLINE_S, eventually

if TYPE_CHECKING:
    from pykka import ActorRef

    from hypactors.config import StageResult
    from tests.actors.imports import PlayedImports

Event = TypeVar("Event")

CODEX = ProviderRef("codex", "@hypaware/codex")
CODEX_RUNNER = runner_name(CODEX.name)

COUNTS_AND_WAITS = """
import os, pathlib, time
home = pathlib.Path(os.environ["HYP_HOME"])
with open(home / "starts", "a") as starts:
    starts.write("start ")
while not (home / "release").exists():
    time.sleep(0.005)
print('{"providers": [{"status": "ok", "rows_written": 42}]}')
"""


class Tree:
    """A system whose imports wait for ``release``, or are played."""

    def __init__(self, stage: Stage, imports: PlayedImports | None = None) -> None:
        self.stage = stage
        self._events: queue.SimpleQueue[SystemEvent] = queue.SimpleQueue()
        self._passed_over: list[SystemEvent] = []
        self._own_watch = None if imports else RunWatch(stage.log)
        watch = self._own_watch or cast("PlayedImports", imports).as_watch
        self.context = SystemContext(
            home=stage.home,
            environ={**os.environ, "HYP_HOME": "/not/ours"},
            settings=Settings(retry_min_s=0.01, retry_max_s=0.01),
            faults=(),
            providers=[CLAUDE, CODEX],
            import_command=(sys.executable, "-c", COUNTS_AND_WAITS),
            clock=SystemClock(),
            random=lambda: 0.0,
            new_token=lambda: secrets.token_hex(3),
            daemon_run_id="daemon-1",
            engine=stage.boot_engine(),
            watch=watch,
            new_poller=SilentPoller,
            exit_on_apply=False,
            log=stage.log,
        )
        self.system = System(self.context, self._events.put)

    def start(self) -> None:
        self.system.start({})
        self.next(TreeIsUp)

    def stop(self) -> None:
        """Let every import end, and stop; nothing may be left behind."""
        self.release()
        try:
            eventually(lambda: not self.system.busy_runners())
        finally:
            assert self.system.stop(TRAP_S) == ()
            self.close()

    def close(self) -> None:
        """End what a tree has before it was started."""
        self.system._timers.close()
        if self._own_watch is not None:
            self._own_watch.close()

    def next(self, kind: type[Event]) -> Event:
        """Return the next event of a kind; those of other kinds can be asked for later."""
        for event in self._passed_over:
            if isinstance(event, kind):
                self._passed_over.remove(event)
                return event
        while not isinstance(event := self._events.get(timeout=DEADLINE_S), kind):
            self._passed_over.append(event)
        return event

    def tell(self, name: str, *messages: object) -> None:
        """Tell, and wait until config control and all it sets off have come to rest."""
        for message in messages:
            self.system.directory.tell(name, message)
        for _ in range(4):
            self.system.config()
            for actor in (RECONCILER, MARKER_STORE):
                self.system.directory.ask(actor, HARMLESS[actor], timeout_s=TRAP_S)

    # In the place of the link to the server

    def link_up(self) -> Mailbox:
        """Stand in for the link to the server."""
        link = Mailbox()
        self.system.directory.put(CENTRAL_LINK, cast("ActorRef[Any]", link))
        return link

    def poll(self) -> None:
        """Poll a server that has nothing new."""
        self.tell(CONFIG_CONTROL, PollSucceeded())

    def serve(self, link: Mailbox, document: bytes, etag: str) -> StageResult:
        """Poll a server that has this document, and return what became of it."""
        link.all()
        self.tell(CONFIG_CONTROL, PollSucceeded(), StageConfig(document, etag))
        return link.next(ConfigStaged).result

    def pass_window(self, seconds: float = 900) -> None:
        """Let a trial's time pass; the timer that would say so is a real one."""
        self.stage.clock.advance(seconds)
        self.tell(CONFIG_CONTROL, _Tick())

    # What can be seen

    def release(self) -> None:
        (self.stage.home.root / "release").touch()

    def starts(self) -> int:
        try:
            return (self.stage.home.root / "starts").read_text().count("start")
        except FileNotFoundError:
            return 0

    def passes(self) -> list[str]:
        return [str(line["hyp_reason"]) for line in self.stage.events("daemon.reconcile_pass")]
