"""A runner with real launchers and imports: what only processes can show."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest

from hypactors.actors._names import RECONCILER
from hypactors.messages import (
    ActionFinished,
    ActionInterrupted,
    DescribeRun,
    DesiredAction,
    Outcome,
    OutcomeStatus,
    Perform,
    RunnerReady,
    RunningImport,
    StopImport,
)
from hypactors.processes import ImportLock, RunWatch
from tests.actors.stage import KEY, RUNNER, Mailbox, Stage
from tests.processes.lab import (
    DEADLINE_S,
    PATIENT,
    eventually,
    import_pid,
    kill_9,
    launcher_pid,
    no_child_left,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypactors.processes import RunFolder

pytestmark = pytest.mark.process

ACTION = DesiredAction(KEY, {"provider": "claude", "plugin": KEY, "windowDays": 30})
PERFORM = Perform("backfill", ACTION, "confirm-edge", 1)

SAYS_WHAT_IT_WAS_GIVEN = """
import json, os, sys
names = ("HYP_HOME", "HYP_RUN_ID", "HYP_RUN_DIR")
given = {"argv": sys.argv[1:], **{name: os.environ[name] for name in names}}
print(json.dumps({"given": given, "providers": [{"rows_written": 42}]}))
"""
WAITS_FOR_RELEASE = """
import os, pathlib, time
home = pathlib.Path(os.environ["HYP_HOME"])
with open(home / "starts", "a") as starts:
    starts.write("start ")
print('{"providers":', flush=True)
while not (home / "release").exists():
    time.sleep(0.005)
print('[{"status": "ok", "rows_written": 7}]}')
"""


@pytest.fixture
def watch(stage: Stage) -> Iterator[RunWatch]:
    with no_child_left():
        watch = RunWatch(stage.log)
        yield watch
        watch.close()


@pytest.fixture
def reconciler(stage: Stage, watch: RunWatch) -> Mailbox:  # noqa: ARG001 - outlives the runner
    return stage.stand_in(RECONCILER)


def start(stage: Stage, watch: RunWatch, reconciler: Mailbox, code: str) -> RunFolder:
    """Start a runner and its import, and return the run when the import is known."""
    stage.start_runner(watch, code)
    reconciler.next(RunnerReady)
    stage.tell(RUNNER, PERFORM)
    [folder] = stage.runs().runs()
    eventually(lambda: (pids := folder.pids()) is not None and pids.import_ is not None)
    return folder


def test_an_import_is_given_its_command_its_window_and_its_home(
    stage: Stage, watch: RunWatch, reconciler: Mailbox
) -> None:
    """client-actions E41, E42: whatever ``HYP_HOME`` the daemon itself had."""
    folder = start(stage, watch, reconciler, SAYS_WHAT_IT_WAS_GIVEN)
    finished = reconciler.next(ActionFinished, timeout_s=DEADLINE_S)
    assert finished.outcome == Outcome(OutcomeStatus.DONE, rows=42)
    assert json.loads(folder.stdout_bytes())["given"] == {
        "argv": ["backfill", "claude", "--since", "2026-05-26T00:00:00.000Z", "--json"],
        "HYP_HOME": str(stage.home.root),
        "HYP_RUN_ID": folder.run_id,
        "HYP_RUN_DIR": str(folder.path),
    }


def test_a_command_that_does_not_exist_is_a_failed_spawn(
    stage: Stage, watch: RunWatch, reconciler: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """client-actions E44: the launcher found no such program."""
    monkeypatch.setattr("sys.executable", "/no/such/python")
    stage.start_runner(watch)
    monkeypatch.undo()
    reconciler.next(RunnerReady)
    stage.tell(RUNNER, PERFORM)
    reason = reconciler.next(ActionFinished, timeout_s=DEADLINE_S).outcome.reason
    assert reason is not None
    assert reason.startswith("hyp backfill spawn failed: ")
    assert "ENOENT" in reason


def test_the_lock_lives_as_long_as_the_import_and_no_longer(
    stage: Stage, watch: RunWatch, reconciler: Mailbox
) -> None:
    """Contract §5.1."""
    start(stage, watch, reconciler, WAITS_FOR_RELEASE)
    path = stage.home.import_lock("claude")
    assert ImportLock.try_take(path) is None
    (stage.home.root / "release").touch()
    reconciler.next(ActionFinished, timeout_s=DEADLINE_S)
    lock = ImportLock.try_take(path)
    assert lock is not None
    lock.close()


@pytest.mark.parametrize("daemon", ["lives on", "is another one"])
def test_the_next_life_of_a_runner_watches_the_import_that_runs(
    stage: Stage, watch: RunWatch, reconciler: Mailbox, daemon: str
) -> None:
    """Nothing is started twice, whether the launcher is our own child or was found."""
    folder = start(stage, watch, reconciler, WAITS_FOR_RELEASE)
    stage.crash(RUNNER)
    watches = watch if daemon == "lives on" else RunWatch(stage.log)
    stage.start_runner(watches, WAITS_FOR_RELEASE)
    reconciler.next(RunnerReady)
    stage.tell(RUNNER, PERFORM)
    described = stage.ask(RUNNER, DescribeRun())
    assert isinstance(described, RunningImport)
    assert (described.run_id, described.pid) == (folder.run_id, import_pid(folder))
    (stage.home.root / "release").touch()
    finished = reconciler.next(ActionFinished, timeout_s=DEADLINE_S)
    assert (finished.run_id, finished.outcome.rows) == (folder.run_id, 7)
    assert (stage.home.root / "starts").read_text() == "start "
    if watches is not watch:
        watches.close()


def test_a_killed_import_is_a_failure_that_names_the_signal(
    stage: Stage, watch: RunWatch, reconciler: Mailbox
) -> None:
    folder = start(stage, watch, reconciler, PATIENT)
    kill_9(import_pid(folder))
    outcome = reconciler.next(ActionFinished, timeout_s=DEADLINE_S).outcome
    said = rf"hyp backfill was killed by SIGKILL \(after \d+ s, run {folder.run_id}\)"
    assert outcome.status is OutcomeStatus.FAILED
    assert re.fullmatch(said, outcome.reason or "")


def test_launcher_and_import_killed_together_are_an_interruption(
    stage: Stage, watch: RunWatch, reconciler: Mailbox
) -> None:
    """Contract §5.2."""
    folder = start(stage, watch, reconciler, PATIENT)
    pid = import_pid(folder)
    kill_9(launcher_pid(folder))
    kill_9(pid)
    interrupted = reconciler.next(ActionInterrupted, timeout_s=DEADLINE_S)
    assert interrupted.run_id == folder.run_id


@pytest.mark.parametrize("at_once", [False, True])
def test_an_import_that_is_stopped_is_interrupted(
    stage: Stage, watch: RunWatch, reconciler: Mailbox, *, at_once: bool
) -> None:
    folder = start(stage, watch, reconciler, PATIENT)
    stage.tell(RUNNER, StopImport(at_once=at_once))
    assert reconciler.next(ActionInterrupted, timeout_s=DEADLINE_S).run_id == folder.run_id
    [line] = stage.events("import_stop_requested")
    assert (line["run_id"], line["at_once"]) == (folder.run_id, at_once)
    result = folder.result()
    assert (None if result is None else result.signal) == (None if at_once else signal.SIGTERM.name)
