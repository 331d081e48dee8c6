"""The daemon as a program: its life from the lock to the exit code, on the main thread."""

from __future__ import annotations

import os
import queue
import secrets
import signal
from dataclasses import dataclass
from random import random
from typing import TYPE_CHECKING

from pykka import ActorDeadError, Timeout

from hypactors.actors._home_files import DaemonState, HomeFiles, own_home
from hypactors.actors._names import CONFIG_CONTROL
from hypactors.actors._operations import operations
from hypactors.actors._reconciler import Settled
from hypactors.actors._system import (
    System,
    SystemContext,
    SystemEvent,
    TreeIsLost,
    TreeIsUp,
)
from hypactors.messages import ReloadRequested, StopImport
from hypactors.observability import DaemonLog
from hypactors.status import LiveDaemon

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType
    from typing import TextIO

    from structlog.typing import FilteringBoundLogger

    from hypactors.actions import ProviderRef
    from hypactors.clock import Clock
    from hypactors.messages import ConfigChanged
    from hypactors.paths import HypHome
    from hypactors.settings import LoadedSettings

MODE = "foreground"

EXIT_OK = 0
EXIT_CONFIG = 1
"""``--once`` on a machine whose config cannot be loaded."""
EXIT_UNMET = 3
"""``--once``: an action ended failed or refused."""
EXIT_TIMED_OUT = 7
"""``--once``: not all was done in the time given."""
EXIT_GAVE_UP = 70
"""A supervisor gave up: start me anew."""

START_TIMEOUT_S = 30.0
KILL_TIMEOUT_S = 5.0
"""How long a killed import may take to be gone; only one stuck in the kernel does."""
STOP_TIMEOUT_S = 30.0
"""How long all actors together may take to stop."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody wants the daemon to stop; ``now`` cuts imports short."""

    why: str
    now: bool = False


@dataclass(frozen=True, slots=True)
class ReloadSignalled:
    """Somebody wants the config to be read again."""


DaemonEvent = SystemEvent | StopRequested | ReloadSignalled


@dataclass(frozen=True, slots=True)
class Once:
    """Exit when nothing is wanted or running, or after this time."""

    timeout_s: float


class Daemon:
    """One daemon on one home. ``run`` must be called on the main thread: it handles signals.

    Data goes to ``stdout`` (the ready line and nothing else), talk to ``stderr``.
    """

    def __init__(
        self,
        *,
        home: HypHome,
        environ: Mapping[str, str],
        loaded: LoadedSettings,
        providers: Sequence[ProviderRef],
        import_command: tuple[str, ...],
        clock: Clock,
        once: Once | None,
        stdout: TextIO,
        stderr: TextIO,
    ) -> None:
        self._home = home
        self._environ = environ
        self._loaded = loaded
        self._settings = loaded.settings
        self._providers = providers
        self._import_command = import_command
        self._clock = clock
        self._once = once
        self._stdout = stdout
        self._stderr = stderr
        self._events: queue.SimpleQueue[DaemonEvent] = queue.SimpleQueue()
        self._state = DaemonState.STARTING
        self._warnings: Sequence[str] = ()
        self._run_id = f"daemon-{os.getpid()}-{int(clock.now().timestamp() * 1000)}"
        self._files: HomeFiles
        self._log: FilteringBoundLogger
        self._system: System

    def run(self) -> int:
        """Run until stopped and return the exit code (contract §4).

        Raises ``HomeBusyError`` when another daemon owns the home, and ``OSError`` when the
        home cannot be written.
        """
        with own_home(self._home):
            self._files = HomeFiles(
                self._home,
                clock=self._clock,
                pid=os.getpid(),
                run_id=self._run_id,
                mode=MODE,
                config_path=self._home.local_config(self._environ),
            )
            log = DaemonLog(
                self._home,
                clock=self._clock,
                mode=MODE,
                daemon_run_id=self._run_id,
                max_bytes=self._settings.log_max_bytes,
                files=self._settings.log_files,
                stderr=self._stderr,
            )
            self._log = log.logger()
            self._files.write_pid()
            try:
                with _Signals(self._events.put):
                    return self._live()
            finally:
                self._files.remove_pid()
                log.close()

    def _live(self) -> int:
        self._enter(DaemonState.STARTING)
        self._log.info("daemon.starting", config_path=str(self._home.local_config(self._environ)))
        for key in self._loaded.unknown_keys:
            self._log.warning("setting_unknown", file=str(self._home.settings_file), key=key)
        context = SystemContext(
            home=self._home,
            environ=self._environ,
            settings=self._settings,
            providers=self._providers,
            import_command=self._import_command,
            clock=self._clock,
            random=random,
            new_token=lambda: secrets.token_hex(3),
            daemon_run_id=self._run_id,
            log=self._log,
        )
        self._system = System(context, self._events.put)
        self._system.start(
            operations(
                self._system,
                context,
                self._describe,
                lambda now: self._events.put(StopRequested("control socket", now)),
                lambda: self._events.put(ReloadSignalled()),
            )
        )
        code = self._serve()
        left_behind = self._system.stop(STOP_TIMEOUT_S)
        if left_behind:
            self._tell(f"stopped without waiting any longer for: {', '.join(left_behind)}")
        self._enter(DaemonState.STOPPED)
        self._log.info("daemon.stopped", exit_code=code)
        return code

    # Serving

    def _serve(self) -> int:
        stop = self._wait_until_up()
        if stop is None:
            config = self._system.config()
            self._adopt(config)
            self._stdout.write(f"hyp daemon: ready pid={os.getpid()} home={self._home.root}\n")
            self._stdout.flush()
            stop = self._nothing_to_do(config) if self._once else None
        if stop is None:
            stop = self._serve_events()
        if stop.exit_code != EXIT_GAVE_UP:  # then nobody is left to drain, and imports go on
            self._drain(stop.request)
        return stop.exit_code

    def _wait_until_up(self) -> _Stop | None:
        deadline = self._clock.monotonic() + START_TIMEOUT_S
        early: list[DaemonEvent] = []  # what the first actors say while the last ones start
        while True:
            match self._next_event(deadline):
                case TreeIsUp():
                    for event in early:
                        self._events.put(event)
                    return None
                case TreeIsLost():
                    return _gave_up()
                case StopRequested() as request:
                    return _Stop(EXIT_OK, request)
                case None:
                    self._log.critical("daemon.start_timed_out", timeout_s=START_TIMEOUT_S)
                    return _gave_up()
                case event:
                    early.append(event)

    def _nothing_to_do(self, config: ConfigChanged) -> _Stop | None:
        """Say why ``--once`` ends at once, if it does."""
        layers = config.layers
        if not layers.is_usable:
            for problem in layers.problems:
                self._tell(problem.message)
            return _Stop(EXIT_CONFIG, StopRequested("config not loadable"))
        if not layers.is_joined:
            self._tell("this machine never joined a central server: nothing to do")
            return _Stop(EXIT_OK, StopRequested("never joined"))
        return None

    def _serve_events(self) -> _Stop:
        deadline = self._clock.monotonic() + self._once.timeout_s if self._once else None
        while True:
            match self._next_event(deadline):
                case StopRequested() as request:
                    return _Stop(EXIT_OK, request)
                case TreeIsLost():
                    return _gave_up()
                case ReloadSignalled():
                    self._reload()
                case Settled(unmet=unmet) if self._once:
                    for unit in unmet:
                        self._tell(f"not done: {unit.kind} {unit.request_key}")
                    code = EXIT_UNMET if unmet else EXIT_OK
                    return _Stop(code, StopRequested("nothing left to do"))
                case None:
                    assert self._once is not None  # noqa: S101 - only then there is a deadline
                    self._tell(f"not all was done within {self._once.timeout_s:g} s")
                    return _Stop(EXIT_TIMED_OUT, StopRequested("timed out"))

    def _reload(self) -> None:
        self._system.directory.tell(CONFIG_CONTROL, ReloadRequested())
        try:
            self._adopt(self._system.config())
        except (ActorDeadError, Timeout):
            self._log.warning("daemon.reload_unanswered")

    def _adopt(self, config: ConfigChanged) -> None:
        """Be healthy or degraded, as the config is usable or not."""
        self._warnings = [problem.message for problem in config.layers.problems]
        state = DaemonState.HEALTHY if config.layers.is_usable else DaemonState.DEGRADED
        if state is not self._state:
            log = self._log.info if state is DaemonState.HEALTHY else self._log.warning
            log(
                f"daemon.{state}",
                state=state,
                sources=[],
                sinks=[],
                warnings=self._warnings or None,
            )
        self._enter(state)

    # Stopping

    def _drain(self, request: StopRequested) -> None:
        """Let live imports settle: wait, then ask them to end, then end them (contract §1)."""
        self._enter(DaemonState.STOPPING)
        self._log.info("daemon.stopping", reason=request.why)
        self._system.drain()
        steps: list[tuple[float, Callable[[], None]]] = [
            (self._settings.settle_s, self._announce_waiting),
            (self._settings.grace_s, lambda: self._stop_imports(at_once=False)),
            (KILL_TIMEOUT_S, lambda: self._stop_imports(at_once=True)),
        ]
        for budget_s, act in steps[1:] if request.now else steps:
            if not self._system.busy_runners():
                return
            act()
            self._wait_until_idle(budget_s)
        if self._system.busy_runners():
            self._tell(f"left running: {', '.join(self._system.busy_runners())}")

    def _announce_waiting(self) -> None:
        names = ", ".join(self._system.busy_runners())
        self._tell(
            f"waiting up to {self._settings.settle_s:g} s for {names} to finish; "
            "signal again to interrupt"
        )

    def _wait_until_idle(self, budget_s: float) -> None:
        """Wait until no runner is busy, the budget is spent, or somebody asks again."""
        deadline = self._clock.monotonic() + budget_s
        while self._system.busy_runners():
            if isinstance(self._next_event(deadline), StopRequested | TreeIsLost | None):
                return

    def _stop_imports(self, *, at_once: bool) -> None:
        for name in self._system.busy_runners():
            self._system.directory.tell(name, StopImport(at_once=at_once))

    # Odds and ends of the main thread

    def _next_event(self, deadline: float | None) -> DaemonEvent | None:
        """Return the next event, or None when the deadline (monotonic seconds) has passed."""
        timeout_s = None if deadline is None else max(0.0, deadline - self._clock.monotonic())
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _enter(self, state: DaemonState) -> None:
        self._state = state
        self._files.write_state(state, self._warnings)

    def _describe(self) -> LiveDaemon:
        return LiveDaemon(
            pid=os.getpid(),
            run_id=self._run_id,
            mode=MODE,
            state=self._state,
            started_at=self._files.started_at,
            warnings=self._warnings,
        )

    def _tell(self, text: str) -> None:
        self._stderr.write(f"hyp daemon: {text}\n")
        self._stderr.flush()


@dataclass(frozen=True, slots=True)
class _Stop:
    exit_code: int
    request: StopRequested


def _gave_up() -> _Stop:
    return _Stop(EXIT_GAVE_UP, StopRequested("a supervisor gave up"))


class _Signals:
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
