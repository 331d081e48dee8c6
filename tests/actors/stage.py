"""Real actors under a real directory, and mailboxes that record in the place of the others.

Timers and the clock stand still until a test moves them. What an actor has done when a message
was handled is known after :meth:`Stage.settle`, which asks it something harmless.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import secrets
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import structlog

from hypactors.actions import Machine, ProviderRef, import_environ, runner_name
from hypactors.actors._backfill_runner import BackfillRunner, ImportSettings
from hypactors.actors._central_link import CentralLink
from hypactors.actors._config_control import ConfigControl
from hypactors.actors._control_endpoint import ControlEndpoint
from hypactors.actors._limit_guard import LimitSettings
from hypactors.actors._marker_store import MarkerStore, RetryBounds
from hypactors.actors._names import (
    CENTRAL_LINK,
    CONFIG_CONTROL,
    CONTROL_ENDPOINT,
    MARKER_STORE,
    RECONCILER,
)
from hypactors.actors._reconciler import Reconciler
from hypactors.clock import ManualClock
from hypactors.config import (
    BUILT_IN_SECTIONS,
    CATALOGUE,
    ApplyEngine,
    check_pins,
    resolve_layers,
    validate_document,
)
from hypactors.files import Disk
from hypactors.messages import (
    ConfigChanged,
    ConfigConfirmed,
    DescribeConfig,
    DescribeLink,
    DescribeMarkers,
    DescribeRun,
    OutcomeRecorded,
    ReconcilerReady,
    RecordOutcome,
    RunnerReady,
)
from hypactors.processes import ImportLimits, ImportSlots, ProviderRuns, Usage
from hypactors.supervision import ChildContext, ChildEnded, ChildReady, Directory
from hypactors.supervision.testing import ManualTimers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pykka import ActorRef
    from structlog.typing import FilteringBoundLogger

    from hypactors.actions import Handler, ProviderFault, Unit
    from hypactors.actors._central_poller import Poller
    from hypactors.actors._reconciler_states import Settled
    from hypactors.config import Layers
    from hypactors.messages import ActionFinished
    from hypactors.paths import HypHome
    from hypactors.processes import RunWatch
    from hypactors.supervision import Notice

    Operation = Callable[[Mapping[str, Any]], object]

TRAP_S = 5.0
"""The time trap on every wait in which no process has to start."""

CLAUDE = ProviderRef("claude", "@hypaware/claude")
KEY = CLAUDE.plugin
RUNNER = runner_name(CLAUDE.name)
RETRY = RetryBounds(min_s=30.0, max_s=3600.0)
RESYNC_S = 900.0
GRACE_S = 15.0

EDGE = ConfigConfirmed("confirm-edge", "etag-1")

Message = TypeVar("Message")

HARMLESS: dict[str, object] = {
    MARKER_STORE: DescribeMarkers(),
    CONFIG_CONTROL: DescribeConfig(),
    RECONCILER: RunnerReady("nobody"),
    CENTRAL_LINK: DescribeLink(),
    RUNNER: DescribeRun(),
}
"""What each actor can be asked so that nothing follows: the answer comes after all before it."""


class FillableDisk(Disk):
    """The real one, until a test says that it is full."""

    is_full = False

    def write(self, path: Path, data: bytes, mode: int) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(path, data, mode)


class Mailbox:
    """Stands in for an actor: keeps what it is told, and calls ``on_tell`` with it first."""

    def __init__(self, ignored: type[object] | None = None) -> None:
        self._messages: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._ignored = ignored
        self.on_tell: Callable[[Any], object] = lambda _message: None

    def tell(self, message: object) -> None:
        if self._ignored is None or not isinstance(message, self._ignored):
            self.on_tell(message)
            self._messages.put(message)

    def next(self, kind: type[Message], *, timeout_s: float = TRAP_S) -> Message:
        """Wait for the next message, which must be of this kind."""
        message = self._messages.get(timeout=timeout_s)
        assert isinstance(message, kind), message
        return message

    def all(self) -> list[object]:
        """Return, and forget, what has come and was not taken."""
        return [self._messages.get() for _ in range(self._messages.qsize())]


class Stage:
    """One home, and the actors that a test puts on it."""

    def __init__(self, home: HypHome) -> None:
        self.home = home
        self.clock = ManualClock()
        self.timers = ManualTimers()
        self.directory = Directory()
        self.settled: queue.SimpleQueue[Settled] = queue.SimpleQueue()
        self.busy: list[tuple[str, bool]] = []
        # Random: by its run id an import is killed, and two test runs may go on at once.
        self.new_token: Callable[[], str] = lambda: secrets.token_hex(3)
        self.on_layers: Callable[[Layers], object] = lambda _layers: None
        self.exit_on_apply: Callable[[str], object] | None = None
        self.disk = FillableDisk()
        self.slots = ImportSlots(2)
        self.faults: list[ProviderFault] = []
        self.place_s: Callable[[Unit], float] = lambda _unit: 0.0
        self.usage = Usage(memory_bytes=0, progress=0, stdout_bytes=0)
        self.limits = LimitSettings(
            ImportLimits(), grace_s=GRACE_S, measure=lambda _folder: self.usage
        )
        self._engine: ApplyEngine | None = None
        self._lines = structlog.testing.LogCapture()
        self.log: FilteringBoundLogger = structlog.wrap_logger(None, processors=[self._lines])
        self._first_notices: queue.SimpleQueue[Notice] = queue.SimpleQueue()
        self._lives: set[int] = set()
        self._ended: queue.SimpleQueue[ChildEnded] = queue.SimpleQueue()
        self._actors: dict[str, ActorRef[Any]] = {}
        self._incarnation = 0

    # Who is there

    def stand_in(self, name: str) -> Mailbox:
        """Stand in for an actor. A runner's stand-in has nothing to report again."""
        mailbox = Mailbox(ignored=ReconcilerReady if name.startswith("backfill:") else None)
        self.directory.put(name, cast("ActorRef[Any]", mailbox))
        return mailbox

    def start_marker_store(self) -> None:
        self._start(
            MARKER_STORE,
            MarkerStore,
            directory=self.directory,
            home=self.home,
            clock=self.clock,
            timers=self.timers,
            retry=RETRY,
            random=lambda: 0.0,
        )

    def boot_engine(self) -> ApplyEngine:
        """Return the engine of this stage; the first call is the boot of the daemon."""
        if self._engine is None:
            self._engine = ApplyEngine(self.home, clock=self.clock, log=self.log, files=self.disk)
            self._engine.evaluate_at_boot()
            self._engine.attach(
                validate=partial(validate_document, sections=BUILT_IN_SECTIONS),
                install=partial(check_pins, plugins=CATALOGUE),
            )
        return self._engine

    def start_config_control(self) -> None:
        self._start(
            CONFIG_CONTROL,
            ConfigControl,
            directory=self.directory,
            engine=self.boot_engine(),
            home=self.home,
            environ={},
            providers=[CLAUDE],
            timers=self.timers,
            on_layers=self._call_for_runners,
            exit_on_apply=self.exit_on_apply,
        )

    def start_reconciler(self, *handlers: Handler) -> None:
        self._start(
            RECONCILER,
            Reconciler,
            directory=self.directory,
            handlers=handlers,
            machine=Machine([CLAUDE], {}, self.faults),
            clock=self.clock,
            timers=self.timers,
            retry=RETRY,
            resync_s=RESYNC_S,
            place_s=self.place_s,
            random=lambda: 0.0,
            on_settled=self.settled.put,
        )

    def start_runner(self, watch: RunWatch, code: str = "") -> None:
        """Start a runner whose import, if it is a real one, is a Python snippet."""
        self._start(
            RUNNER,
            BackfillRunner,
            directory=self.directory,
            provider=CLAUDE,
            home=self.home,
            settings=ImportSettings(
                command=(sys.executable, "-c", code),
                environ=import_environ({**os.environ, "HYP_HOME": "/not/ours"}, self.home.root),
                nice=0,
                limits=self.limits,
            ),
            clock=self.clock,
            timers=self.timers,
            watch=watch,
            slots=self.slots,
            new_token=self._next_token,
            daemon_run_id="daemon-1",
            on_busy=lambda name, is_busy: self.busy.append((name, is_busy)),
        )

    def start_central_link(self, poller: Poller) -> None:
        self._start(
            CENTRAL_LINK,
            CentralLink,
            home=self.home,
            directory=self.directory,
            clock=self.clock,
            timers=self.timers,
            random=lambda: 0.0,
            poller=poller,
        )

    def start_control_endpoint(self, operations: Mapping[str, Operation]) -> None:
        self._start(CONTROL_ENDPOINT, ControlEndpoint, home=self.home, operations=operations)

    def _start(self, name: str, actor: Any, **collaborators: Any) -> None:
        """Start a life; its setup is over on return."""
        self._incarnation += 1
        context = ChildContext(name, self._incarnation, self.directory, self._noted)
        self._actors[name] = actor.start(context, log=self.log, **collaborators)
        first = self._first_notices.get(timeout=TRAP_S)
        assert isinstance(first, ChildReady), first

    def _noted(self, notice: Notice) -> None:
        if notice.incarnation not in self._lives:
            self._first_notices.put(notice)
        if isinstance(notice, ChildEnded):
            self._ended.put(notice)
        self._lives.add(notice.incarnation)

    def _next_token(self) -> str:
        return self.new_token()

    def _call_for_runners(self, layers: Layers) -> None:
        self.on_layers(layers)  # the one that is set by now

    # Talking to them

    def tell(self, name: str, *messages: object) -> None:
        """Tell, and wait until it was handled."""
        for message in messages:
            assert self.directory.tell(name, message), f"{name} does not live"
        self.settle(name)

    def ask(self, name: str, message: object) -> Any:
        return self.directory.ask(name, message, timeout_s=TRAP_S)

    def settle(self, *names: str) -> None:
        """Wait until each of these actors, in this order, has handled what it had been told."""
        for name in names:
            self._actors[name].ask(HARMLESS[name], timeout=TRAP_S)

    def quiesce(self) -> None:
        """Wait until everybody has heard everything, for a conversation of a few turns."""
        for _ in range(4):
            self.settle(*self._actors)

    def boot(self, *handlers: Handler) -> None:
        """Start the store and the reconciler on a confirmed machine, with the edge of a boot."""
        self.join()
        self.start_marker_store()
        self.start_reconciler(*handlers)
        self.tell(RECONCILER, self.config())
        self.edge()

    def edge(self) -> None:
        self.tell(RECONCILER, EDGE)
        self.quiesce()

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.timers.advance(seconds)
        self.quiesce()

    def acknowledge(self, finished: ActionFinished) -> None:
        """Tell the runner that its outcome is on disk, as the store does."""
        self.tell(
            RUNNER,
            OutcomeRecorded(
                RecordOutcome(
                    finished.kind,
                    finished.request_key,
                    finished.outcome,
                    run_id=finished.run_id,
                    runner=finished.runner,
                )
            ),
        )

    def crash(self, name: str) -> None:
        """Let an actor die of a message that it does not know; what it had queued is lost."""
        self.directory.tell(name, object())
        assert isinstance(self.next_end(name).error, TypeError)

    def next_end(self, name: str) -> ChildEnded:
        """Wait for the end of an actor, as its supervisor does."""
        ended = self._ended.get(timeout=TRAP_S)
        assert ended.name == name, ended
        self.directory.remove(name)
        del self._actors[name]
        return ended

    def stop(self, name: str) -> None:
        self._actors.pop(name).stop(timeout=TRAP_S)

    def close(self) -> None:
        for ref in reversed(self._actors.values()):
            ref.stop(timeout=TRAP_S)

    # What is on disk, and in the log

    def join(self, *plugins: dict[str, Any], probation: str | None = None) -> None:
        """Put a central layer in slot a, confirmed unless an etag on trial is given."""
        self.home.control_dir.mkdir(parents=True, exist_ok=True)
        document = {"version": 2, "plugins": list(plugins or [{"name": CLAUDE.plugin}])}
        self.home.slot_file("a").write_text(json.dumps(document))
        self.home.slot_etag_file("a").write_text("etag-1\n")
        self.home.active_link.unlink(missing_ok=True)
        self.home.active_link.symlink_to("config.a.json")
        state = {"probation": {"etag": probation, "slot": "a"}} if probation else {}
        self.home.state_file.write_text(json.dumps(state))

    def config(self, *, is_confirmed: bool = True) -> ConfigChanged:
        """Return what config control would say of the layers on disk."""
        return ConfigChanged(resolve_layers(self.home, {}), is_confirmed)

    def mark(self, text: str) -> None:
        self.home.control_dir.mkdir(parents=True, exist_ok=True)
        self.home.marker_file.write_text(text)

    def markers(self) -> dict[str, Any]:
        try:
            markers: dict[str, Any] = json.loads(self.home.marker_file.read_bytes())
        except FileNotFoundError:
            return {}
        return markers

    def marker(self, kind: str = "backfill", key: str = KEY) -> dict[str, Any]:
        marker: dict[str, Any] = self.markers().get(kind, {}).get(key, {})
        return marker

    def runs(self) -> ProviderRuns:
        return ProviderRuns(self.home, CLAUDE.name)

    def newest_run(self) -> tuple[str, str | None]:
        """Return state and outcome of the newest run."""
        record = self.runs().runs()[0].record()
        assert record is not None
        return record.state, record.outcome

    def settled_so_far(self) -> list[tuple[str, ...]]:
        """Return, and forget, the request keys that were unmet each time all was settled."""
        reports = [self.settled.get() for _ in range(self.settled.qsize())]
        return [tuple(unit.request_key for unit in report.unmet) for report in reports]

    def actions_logged(self) -> list[dict[str, Any]]:
        return [line for line in self.events() if line["event"].startswith("client_action.")]

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Return the log lines so far, all or those of these events, without who said it."""
        return [
            {key: value for key, value in line.items() if key != "actor"}
            for line in list(self._lines.entries)
            if not names or line["event"] in names
        ]
