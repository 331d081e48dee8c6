"""The daemon as a program: its life from the lock to the exit code, on the main thread."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from random import random
from typing import TYPE_CHECKING

from pykka import ActorDeadError, Timeout

from hypactors.actors._central_poller import ThreadPoller
from hypactors.actors._daemon_events import (
    DaemonEvent,
    ReloadSignalled,
    Signals,
    StopRequested,
)
from hypactors.actors._daemon_inbox import DaemonInbox
from hypactors.actors._drain import Drain
from hypactors.actors._heart import Heart
from hypactors.actors._home_files import DaemonState, HomeFiles, own_home
from hypactors.actors._log_export import LogExport
from hypactors.actors._names import CONFIG_CONTROL
from hypactors.actors._operations import operations
from hypactors.actors._reconciler_states import Settled
from hypactors.actors._system import System
from hypactors.actors._system_context import (
    ConfigAdopted,
    RestartWanted,
    SystemContext,
    TreeIsLost,
    TreeIsUp,
)
from hypactors.actors._verdict import (
    EXIT_CONFIG,
    EXIT_GAVE_UP,
    EXIT_OK,
    EXIT_RESTART,
    EXIT_TIMED_OUT,
    EXIT_UNMET,
    Verdict,
    gave_up,
)
from hypactors.config import ApplyEngine
from hypactors.messages import ReloadRequested
from hypactors.observability import DaemonLog
from hypactors.processes import RunWatch
from hypactors.status import LiveDaemon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from structlog.typing import FilteringBoundLogger

    from hypactors.actions import ProviderFault, ProviderRef
    from hypactors.clock import Clock
    from hypactors.config import ApplyChecks
    from hypactors.messages import ConfigChanged
    from hypactors.paths import HypHome
    from hypactors.service import Notifier
    from hypactors.settings import LoadedSettings

MODE = "foreground"

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
"""How long all actors together may take to stop."""


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
        faults: Sequence[ProviderFault],
        import_command: tuple[str, ...],
        clock: Clock,
        checks: ApplyChecks,
        once: Once | None,
        exit_on_apply: bool,
        notifier: Notifier,
        stdout: TextIO,
        stderr: TextIO,
    ) -> None:
        self._home = home
        self._environ = environ
        self._loaded = loaded
        self._settings = loaded.settings
        self._providers = providers
        self._faults = faults
        self._import_command = import_command
        self._clock = clock
        self._checks = checks
        self._once = once
        self._exit_on_apply = exit_on_apply
        self._stdout = stdout
        self._stderr = stderr
        self._notifier = notifier
        self._inbox = DaemonInbox(clock)
        self._state = DaemonState.STARTING
        self._warnings: Sequence[str] = ()
        self._run_id = f"daemon-{os.getpid()}-{int(clock.now().timestamp() * 1000)}"
        self._files: HomeFiles
        self._log: FilteringBoundLogger
        self._log_export: LogExport
        self._engine: ApplyEngine
        self._boot_trial: str | None = None
        self._system: System
        self._was_ready = False

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
            self._log_export = LogExport(
                self._home, self._settings, clock=self._clock, log=self._log
            )
            self._files.write_pid()
            try:
                with Signals(self._inbox.post):
                    return self._live()
            finally:
                self._log_export.close()
                self._files.remove_pid()
                log.close()

    def _live(self) -> int:
        self._enter(DaemonState.STARTING)
        self._log.info("daemon.starting", config_path=str(self._home.local_config(self._environ)))
        for key in self._loaded.unknown_keys:
            self._log.warning("setting_unknown", file=str(self._home.settings_file), key=key)
        for fault in self._faults:
            self._log.error("provider_unusable", provider=fault.name, detail=fault.reason)
        self._engine = self._boot_engine()
        self._boot_trial = self._trial_etag()
        watch = RunWatch(self._log)
        try:
            stop = self._run_tree(watch)
            while stop.exit_code == EXIT_GAVE_UP and self._took_back_the_config():
                stop = self._run_tree(watch)
        finally:
            watch.close()
        self._enter(DaemonState.STOPPED)
        self._log.info("daemon.stopped", exit_code=stop.exit_code)
        return stop.exit_code

    def _boot_engine(self) -> ApplyEngine:
        """Mend what an earlier daemon left of a config change, before any actor runs."""
        engine = ApplyEngine(self._home, clock=self._clock, log=self._log)
        found = engine.evaluate_at_boot()
        if found.action != "none":
            self._log.warning(
                "daemon.config_probation_boot_action",
                action=found.action,
                etag=found.etag,
                hyp_reason=found.reason,
            )
        engine.attach(validate=self._checks.validate, install=self._checks.install)
        return engine

    def _run_tree(self, watch: RunWatch) -> Verdict:
        """Build the tree of actors, serve until there is a reason to stop, and take it down."""
        context = SystemContext(
            home=self._home,
            environ=self._environ,
            settings=self._settings,
            providers=self._providers,
            faults=self._faults,
            import_command=self._import_command,
            clock=self._clock,
            random=random,
            new_token=lambda: secrets.token_hex(3),
            daemon_run_id=self._run_id,
            engine=self._engine,
            watch=watch,
            new_poller=lambda: ThreadPoller(self._clock),
            exit_on_apply=self._exit_on_apply,
            log=self._log,
        )
        self._system = System(context, self._inbox.post)
        self._system.start(
            operations(
                self._system,
                context,
                self._describe,
                lambda now: self._inbox.post(StopRequested("control socket", now)),
                lambda: self._inbox.post(ReloadSignalled()),
            )
        )
        stop = self._serve()
        self._inbox.heart = None
        left_behind = self._system.stop(STOP_TIMEOUT_S)
        if left_behind:
            self._log.error("daemon.left_behind", actors=list(left_behind))
            self._tell(f"stopped without waiting any longer for: {', '.join(left_behind)}")
        return stop

    def _took_back_the_config(self) -> bool:
        """Roll a config back that the actors could not stay up under (contract §7).

        Only one that they were up before: then it is the config's doing. Of one that the daemon
        booted with, nobody can tell.
        """
        etag = self._trial_etag()
        if etag is None or etag == self._boot_trial:
            return False
        result = self._engine.roll_back("probation_crashed")
        self._inbox.forget_tree()
        return result.is_restart_wanted and not self._exit_on_apply

    def _trial_etag(self) -> str | None:
        trial = self._engine.probation
        return None if trial is None else trial.etag

    # Serving

    def _serve(self) -> Verdict:
        stop = self._wait_until_up()
        if stop is None:
            config = self._system.config()
            self._adopt(config)
            self._say_ready()
            self._inbox.heart = Heart(self._notifier, self._clock, self._system.is_well)
            stop = self._nothing_to_do(config) if self._once else None
        if stop is None:
            stop = self._serve_events()
        # With a lost tree nobody is left to drain; for a restart nobody waits: imports go on, and
        # the next daemon finds them.
        if stop.exit_code not in {EXIT_GAVE_UP, EXIT_RESTART}:
            self._drain(stop.request)
        return stop

    def _say_ready(self) -> None:
        if not self._was_ready:
            self._was_ready = True
            self._stdout.write(f"hyp daemon: ready pid={os.getpid()} home={self._home.root}\n")
            self._stdout.flush()
        self._notifier.ready()

    def _wait_until_up(self) -> Verdict | None:
        deadline = self._clock.monotonic() + START_TIMEOUT_S
        early: list[DaemonEvent] = []  # what the first actors say while the last ones start
        while True:
            match self._inbox.next(deadline):
                case TreeIsUp():
                    for event in early:
                        self._inbox.post(event)
                    return None
                case TreeIsLost():
                    return gave_up()
                case StopRequested() as request:
                    return Verdict(EXIT_OK, request)
                case None:
                    self._log.critical("daemon.start_timed_out", timeout_s=START_TIMEOUT_S)
                    return gave_up()
                case event:
                    early.append(event)

    def _nothing_to_do(self, config: ConfigChanged) -> Verdict | None:
        """Say why ``--once`` ends at once, if it does."""
        layers = config.layers
        if not layers.is_usable:
            for problem in layers.problems:
                self._tell(problem.message)
            return Verdict(EXIT_CONFIG, StopRequested("config not loadable"))
        if not layers.is_joined:
            self._tell("this machine never joined a central server: nothing to do")
            return Verdict(EXIT_OK, StopRequested("never joined"))
        return None

    def _serve_events(self) -> Verdict:
        deadline = self._clock.monotonic() + self._once.timeout_s if self._once else None
        while True:
            self._notifier.status(self._doing())
            match self._inbox.next(deadline):
                case StopRequested() as request:
                    return Verdict(EXIT_OK, request)
                case TreeIsLost():
                    return gave_up()
                case ReloadSignalled():
                    self._notifier.reloading()
                    self._system.directory.tell(CONFIG_CONTROL, ReloadRequested())
                    self._adopt_current()  # also when it changed nothing
                    self._notifier.ready()
                case ConfigAdopted():
                    self._adopt_current()
                case RestartWanted(reason=reason):
                    return Verdict(EXIT_RESTART, StopRequested(f"restart for {reason}"))
                case Settled(unmet=unmet) if self._once:
                    for unit in unmet:
                        self._tell(f"not done: {unit.kind} {unit.request_key}")
                    code = EXIT_UNMET if unmet else EXIT_OK
                    return Verdict(code, StopRequested("nothing left to do"))
                case None:
                    assert self._once is not None  # noqa: S101 - only then there is a deadline
                    self._tell(f"not all was done within {self._once.timeout_s:g} s")
                    return Verdict(EXIT_TIMED_OUT, StopRequested("timed out"))

    def _adopt_current(self) -> None:
        try:
            self._adopt(self._system.config())
        except (ActorDeadError, Timeout):
            self._log.warning("daemon.config_unanswered")

    def _adopt(self, config: ConfigChanged) -> None:
        """Be healthy or degraded, as the config is usable or not."""
        self._warnings = [problem.message for problem in config.layers.problems]
        state = DaemonState.HEALTHY if config.layers.is_usable else DaemonState.DEGRADED
        if state is not self._state:
            said = {"state": state, "sources": [], "sinks": [], "warnings": self._warnings or None}
            if state is DaemonState.HEALTHY:
                self._log.info("daemon.healthy", **said)
            else:
                self._log.warning("daemon.degraded", **said)
        self._enter(state)

    # Stopping

    def _drain(self, request: StopRequested) -> None:
        self._notifier.stopping()
        self._enter(DaemonState.STOPPING)
        self._log.info("daemon.stopping", reason=request.why)
        Drain(
            self._system,
            self._settings,
            clock=self._clock,
            next_event=self._inbox.next,
            tell=self._tell,
        ).run(now=request.now)

    # Odds and ends

    def _doing(self) -> str:
        runners = self._system.busy_runners()
        doing = [
            f"{verb} {', '.join(names)}"
            for prefix, verb in (("backfill:", "importing"), ("forward:", "forwarding to"))
            if (names := [name.removeprefix(prefix) for name in runners if prefix in name])
        ]
        return ", ".join(doing) or "nothing to do"

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
            export_trouble=self._log_export.trouble,
        )

    def _tell(self, text: str) -> None:
        self._stderr.write(f"hyp daemon: {text}\n")
        self._stderr.flush()
