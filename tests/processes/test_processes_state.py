from __future__ import annotations

import os
from itertools import product

import pytest

from hypactors.processes import (
    ImportLock,
    PidRecord,
    ProcessIdentity,
    RunFacts,
    RunResult,
    RunState,
    boot_id,
    decide,
    identify,
    inspect,
    is_free,
)
from tests.processes.lab import RunLab, known

RESULT = RunResult(
    run_id="r", exit_code=0, signal=None, started_at="", ended_at="", launch_error=None
)
DEAD = ProcessIdentity(pid=2**22 + 1, start_ticks=1, create_time=1.0)


def facts(*flags: bool, result: RunResult | None = None) -> RunFacts:
    lock_free, has_pids, launcher_alive, import_alive = flags
    return RunFacts(
        lock_free=lock_free,
        has_pids=has_pids,
        launcher_alive=launcher_alive,
        import_alive=import_alive,
        result=result,
    )


ALL_FLAGS = list(product([False, True], repeat=4))


@pytest.mark.parametrize("flags", ALL_FLAGS)
def test_result_on_disk_is_final_whatever_else_is_seen(flags: tuple[bool, ...]) -> None:
    """Contract §5.2: it is there to be replayed."""
    assert decide(facts(*flags, result=RESULT)) is RunState.FINISHED


@pytest.mark.parametrize("flags", [flags for flags in ALL_FLAGS if flags[0]])
def test_free_lock_without_a_result_is_interrupted(flags: tuple[bool, ...]) -> None:
    """Contract §5.2."""
    assert decide(facts(*flags)) is RunState.INTERRUPTED


@pytest.mark.parametrize(
    ("has_pids", "launcher_alive", "import_alive", "state"),
    [
        (False, False, False, RunState.STARTING),
        (False, True, False, RunState.STARTING),
        (True, True, True, RunState.RUNNING),
        (True, True, False, RunState.RUNNING),
        (True, False, True, RunState.IMPORT_ONLY),
        (True, False, False, RunState.INTERRUPTED),
    ],
)
def test_held_lock_means_what_the_processes_say(
    *, has_pids: bool, launcher_alive: bool, import_alive: bool, state: RunState
) -> None:
    """Contract §5.2."""
    assert decide(facts(False, has_pids, launcher_alive, import_alive)) is state


def test_only_the_last_two_states_are_over() -> None:
    assert [state for state in RunState if state.is_over] == [
        RunState.FINISHED,
        RunState.INTERRUPTED,
    ]


def test_recorded_run_with_the_lock_held_is_starting(lab: RunLab) -> None:
    """Contract §5.2."""
    with known(ImportLock.try_take(lab.lock_path)):
        folder = lab.record("hyp")
        assert inspect(folder) is RunState.STARTING
        me = known(identify(os.getpid()))
        folder.write_pids(PidRecord(boot_id=boot_id(), launcher=me, import_=None))
        assert inspect(folder) is RunState.STARTING
        folder.write_pids(PidRecord(boot_id=boot_id(), launcher=me, import_=me))
        assert inspect(folder) is RunState.RUNNING
        folder.write_pids(PidRecord(boot_id=boot_id(), launcher=DEAD, import_=me))
        assert inspect(folder) is RunState.IMPORT_ONLY


def test_run_whose_daemon_died_before_the_spawn_is_interrupted(lab: RunLab) -> None:
    """Contract §5.2: the lock went with the daemon."""
    with known(ImportLock.try_take(lab.lock_path)):
        folder = lab.record("hyp")
    assert inspect(folder) is RunState.INTERRUPTED


def test_launcher_that_died_before_it_named_the_import_is_waited_for(lab: RunLab) -> None:
    """Contract §5.2: an import may live that no file names, so the lock decides."""
    folder = lab.record("hyp")
    folder.write_pids(PidRecord(boot_id=boot_id(), launcher=DEAD, import_=None))
    with known(ImportLock.try_take(lab.lock_path)):
        assert inspect(folder) is RunState.STARTING
    assert inspect(folder) is RunState.INTERRUPTED


def test_dead_run_is_over_although_a_manual_import_holds_the_lock(lab: RunLab) -> None:
    """Contract §5.1, §5.2: the lock is the provider's, not the run's."""
    folder = lab.record("hyp")
    folder.write_pids(PidRecord(boot_id=boot_id(), launcher=DEAD, import_=DEAD))
    with known(ImportLock.try_take(lab.lock_path)):
        assert inspect(folder) is RunState.INTERRUPTED


def test_result_that_does_not_parse_leaves_a_run_interrupted(lab: RunLab) -> None:
    """Contract §5: what does not parse counts as absent."""
    folder = lab.record("hyp")
    (folder.path / "pid.json").write_bytes(b'{"v":1,')
    (folder.path / "result.json").write_bytes(b'{"v":1,"run_id"')
    assert inspect(folder) is RunState.INTERRUPTED
    folder.write_result(RESULT)
    assert inspect(folder) is RunState.FINISHED


def test_process_that_lives_without_the_lock_is_alive_all_the_same(lab: RunLab) -> None:
    """Contract §5.2: another import command may close what it inherited."""
    folder = lab.record("hyp")
    me = known(identify(os.getpid()))
    folder.write_pids(PidRecord(boot_id=boot_id(), launcher=DEAD, import_=me))
    assert is_free(lab.lock_path)
    assert inspect(folder) is RunState.IMPORT_ONLY
