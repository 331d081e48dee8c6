"""The daemon in this process, on the main thread: a config that crashes it, and exits for one."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from hypactors.actors import Daemon, _daemon, _system
from hypactors.actors._names import CONFIG_CONTROL, SUPERVISOR
from hypactors.actors._reconciler import Reconciler
from hypactors.clock import SystemClock
from hypactors.config import (
    BUILT_IN_SECTIONS,
    CATALOGUE,
    ApplyChecks,
    ApplyEngine,
    check_pins,
    running_etag,
    validate_document,
)
from hypactors.messages import ConfigChanged, PollSucceeded, StageConfig
from hypactors.service import Notifier
from hypactors.settings import LoadedSettings, Settings
from hypactors.supervision import Backoff, ChildSpec, StartChild, Supervisor
from tests.actors.served import entry, plant_seed, served, state_of
from tests.actors.stage import CLAUDE, KEY
from tests.actors.tree import CODEX, COUNTS_AND_WAITS
from tests.processes.lab import DEADLINE_S, eventually, no_child_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypactors.paths import HypHome

pytestmark = pytest.mark.process

POISON = "@hypaware/otel"
"""The reconciler dies of a config that names it."""

SETTINGS = Settings(retry_min_s=0.01, retry_max_s=0.01, settle_s=5, grace_s=1)

GOOD = StageConfig(served(entry()), "good")
POISONED = StageConfig(served(entry(), {"name": POISON}), "poisoned")


class Program:
    """One daemon, and what it said; a script talks to it from another thread."""

    def __init__(
        self, home: HypHome, *, exit_on_apply: bool = False, watchdog_s: float | None = None
    ) -> None:
        self.home = home
        self.stdout = io.StringIO()
        self._daemon = Daemon(
            home=home,
            environ={**os.environ, "HYP_HOME": str(home.root)},
            loaded=LoadedSettings(SETTINGS, ()),
            faults=(),
            notifier=Notifier(watchdog_s=watchdog_s),
            providers=[CLAUDE, CODEX],
            import_command=(sys.executable, "-c", COUNTS_AND_WAITS),
            clock=SystemClock(),
            checks=ApplyChecks(
                install=partial(check_pins, plugins=CATALOGUE),
                validate=partial(validate_document, sections=BUILT_IN_SECTIONS),
            ),
            once=None,
            exit_on_apply=exit_on_apply,
            stdout=self.stdout,
            stderr=io.StringIO(),
        )

    def run(self, script: Callable[[], object]) -> int:
        """Run until it stops by itself, or the script is over and sends SIGTERM."""
        failures: list[BaseException] = []

        def play() -> None:
            try:
                script()
            except BaseException as error:  # noqa: BLE001 - raised again on the test's thread
                failures.append(error)
            if not is_over.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

        is_over = threading.Event()
        thread = threading.Thread(target=play, name="script")
        # A signal that comes after the daemon has taken its handlers back is no end of the tests.
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        thread.start()
        try:
            return self._daemon.run()
        finally:
            is_over.set()
            thread.join()
            signal.signal(signal.SIGTERM, before)
            for failure in failures:
                raise failure

    def tell(self, *messages: object) -> None:
        """Tell config control, once it is there."""
        eventually(self.stdout.getvalue)
        for message in messages:
            assert self._daemon._system.directory.tell(CONFIG_CONTROL, message)

    def events(self, *names: str) -> list[dict[str, Any]]:
        if not self.home.log_file.exists():
            return []
        lines = map(json.loads, self.home.log_file.read_text().splitlines())
        return [line for line in lines if line["event"] in names]

    def wait_for(self, name: str) -> None:
        eventually(lambda: self.events(name))

    def starts(self) -> int:
        path = self.home.root / "starts"
        return path.read_text().count("start") if path.exists() else 0

    def release(self) -> None:
        (self.home.root / "release").touch()

    def marker(self) -> dict[str, Any]:
        if not self.home.marker_file.exists():
            return {}
        markers = json.loads(self.home.marker_file.read_bytes())["backfill"]
        marker: dict[str, Any] = markers.get(KEY, {})
        return marker


@pytest.fixture(autouse=True)
def _no_child_left() -> Iterator[None]:
    with no_child_left():
        yield


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the poison work, and the supervisor lose patience soon."""
    receive = Reconciler.receive

    def receive_unless_poisoned(self: Reconciler, message: object) -> Any:
        if isinstance(message, ConfigChanged) and message.layers.effective is not None:
            names = [plugin.name for plugin in message.layers.effective.plugins]
            assert POISON not in names, "poisoned"
        return receive(self, message)

    monkeypatch.setattr(Reconciler, "receive", receive_unless_poisoned)
    defaults = Supervisor.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "backoff", Backoff(initial_s=0.001))


@pytest.fixture
def program(home: HypHome) -> Program:
    plant_seed(home)
    return Program(home)


def test_a_config_that_the_actors_cannot_stay_up_under_is_taken_back_at_once(
    program: Program,
) -> None:
    """Contract §7: in this process, and the import that ran meanwhile is not lost."""

    def script() -> None:
        program.tell(GOOD, PollSucceeded())
        eventually(program.starts)
        program.tell(POISONED)
        program.wait_for("config.rollback")
        eventually(lambda: running_etag(program.home) == "good")
        eventually(lambda: program.events("import_adopted"))
        program.release()
        eventually(lambda: program.marker().get("status") == "done")
        program.tell(PollSucceeded(), POISONED)
        eventually(lambda: len(program.events("daemon.reconcile_pass")) >= 2)

    assert program.run(script) == 0
    assert program.stdout.getvalue().count("ready") == 1
    assert program.starts() == 1
    [rollback] = program.events("config.rollback")
    assert (rollback["etag"], rollback["reason"]) == ("poisoned", "probation_crashed")
    assert len(program.events("supervisor_gave_up")) == 1
    state = state_of(program.home)
    assert state["bad_etag"]["reason"] == "probation_crashed"
    assert [ban["etag"] for ban in state["bad_etags"]] == ["poisoned"]
    assert "probation" not in state
    assert [line["etag"] for line in program.events("config.applied")] == ["good", "poisoned"]


def test_after_a_crash_the_next_document_is_taken(program: Program) -> None:
    """The engine of the lost tree has no restart pending for ever."""

    def script() -> None:
        program.tell(POISONED)
        program.wait_for("config.rollback")
        eventually(lambda: len(program.events("daemon.reconcile_pass")) >= 2)
        program.tell(GOOD)
        eventually(lambda: running_etag(program.home) == "good")
        program.tell(PollSucceeded())
        program.wait_for("config.probation_cleared")
        program.release()
        eventually(lambda: program.marker().get("status") == "done")

    assert program.run(script) == 0
    assert program.starts() == 1


def test_a_config_that_it_booted_with_is_not_to_blame_for_a_crash(home: HypHome) -> None:
    """Contract §4, §7: nobody knows whether the actors were up before, so it asks for a restart."""
    plant_seed(home)
    prepare(home, POISONED)
    program = Program(home)
    assert program.run(lambda: program.wait_for("daemon.stopped")) == 70
    assert program.events("config.rollback") == []
    assert running_etag(home) == "poisoned"
    assert state_of(home)["probation"]["etag"] == "poisoned"


def test_a_confirmed_config_is_not_to_blame_for_a_crash(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.release()

    def script() -> None:
        program.tell(GOOD, PollSucceeded())
        eventually(lambda: program.marker().get("status") == "done")
        monkeypatch.setattr(Reconciler, "setup", lambda _self: 1 / 0)
        program._daemon._system.directory.tell("reconciler", object())
        program.wait_for("daemon.stopped")

    assert program.run(script) == 70
    assert running_etag(program.home) == "good"
    assert program.events("config.rollback") == []


def test_without_a_config_to_go_back_to_a_crash_is_escalated(home: HypHome) -> None:
    """Contract §7: no rollback, and the trial goes on at the next start."""
    home.control_dir.mkdir(parents=True)
    program = Program(home)

    def script() -> None:
        program.tell(POISONED)
        program.wait_for("daemon.stopped")

    assert program.run(script) == 70
    assert len(program.events("config.rollback_no_target")) == 1
    assert running_etag(home) == "poisoned"
    assert state_of(home)["probation"]["etag"] == "poisoned"


def test_with_exit_on_apply_the_next_start_runs_the_new_config(home: HypHome) -> None:
    """config-control 35: an exit code of its own, and the config on trial until a poll."""
    plant_seed(home)
    first = Program(home, exit_on_apply=True)

    def apply() -> None:
        first.tell(GOOD, PollSucceeded())
        first.wait_for("daemon.stopped")

    assert first.run(apply) == 75
    assert first.starts() == 0
    assert state_of(home)["probation"]["etag"] == "good"
    assert not home.pid_file.exists()

    second = Program(home, exit_on_apply=True)
    second.release()

    def script() -> None:
        second.tell(PollSucceeded())
        eventually(lambda: second.marker().get("status") == "done")

    assert second.run(script) == 0
    assert second.starts() == 1
    assert "probation" not in state_of(home)


def test_with_exit_on_apply_an_import_goes_on_and_is_found_again(home: HypHome) -> None:
    """Nobody waits for it, and nothing starts twice."""
    plant_seed(home)
    prepare(home, GOOD)
    first = Program(home, exit_on_apply=True)

    def apply_meanwhile() -> None:
        first.tell(PollSucceeded())
        eventually(first.starts)
        first.tell(StageConfig(served(entry(window_days=2)), "newer"))
        first.wait_for("daemon.stopped")

    assert first.run(apply_meanwhile) == 75
    second = Program(home, exit_on_apply=True)

    def script() -> None:
        second.tell()
        second.release()
        eventually(lambda: second.marker().get("status") == "done")
        second.tell(PollSucceeded())
        second.wait_for("daemon.reconcile_pass")

    assert second.run(script) == 0
    assert second.starts() == 1
    assert running_etag(home) == "newer"


def prepare(home: HypHome, document: StageConfig) -> None:
    """Leave what an earlier daemon leaves that applied this and stopped."""
    engine = ApplyEngine(
        home,
        clock=SystemClock(),
        log=structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()]),
    )
    engine.attach(validate=lambda _document: [], install=lambda _document: None)
    assert engine.stage(document.document, document.etag).action == "applied"
    engine.close()


def test_a_supervisor_that_hangs_is_the_end_of_the_daemon(
    home: HypHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contract §4: 70, so that a service manager starts it anew."""
    monkeypatch.setattr(_system, "ASK_TIMEOUT_S", 0.2)
    monkeypatch.setattr(_daemon, "STOP_TIMEOUT_S", 0.2)
    plant_seed(home)
    program = Program(home, watchdog_s=0.1)
    release = threading.Event()

    def hang(_context: object) -> Any:
        release.wait(DEADLINE_S)
        raise RuntimeError("nobody waits for it any more")

    def script() -> None:
        program.tell()
        program._daemon._system.directory.tell(SUPERVISOR, StartChild(ChildSpec("stuck", hang)))
        program.wait_for("daemon.stopped")

    assert program.run(script) == 70
    assert program.events("daemon.left_behind")[0]["actors"] == [SUPERVISOR]
    release.set()
