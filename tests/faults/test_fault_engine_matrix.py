"""The apply engine on a disk that stops at every step: old or new, never else (contract §11)."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import pytest

from hypactors.clock import ManualClock
from hypactors.config import read_control_state
from hypactors.files import DISK
from hypactors.paths import HypHome
from tests.faults.disk import Crash, Fault, FaultyDisk, Snapshot, restore, snapshot
from tests.faults.machine import BAD, NOTHING, SEED, Machine, document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def seeded(machine: Machine) -> None:
    machine.join()
    machine.boot()


def bare(machine: Machine) -> None:
    machine.boot()


def confirmed(machine: Machine) -> None:
    machine.join()
    machine.settle("E1")


def on_first_trial(machine: Machine) -> None:
    seeded(machine)
    machine.poll("E1")


def on_first_trial_with_the_seed(machine: Machine) -> None:
    """As a crash before the last step of the apply leaves it."""
    on_first_trial(machine)
    machine.join()


def on_trial(machine: Machine) -> None:
    confirmed(machine)
    machine.poll("E2")


def expired_while_running(machine: Machine) -> None:
    on_trial(machine)
    machine.clock.advance(181)


def first_expired_while_running(machine: Machine) -> None:
    on_first_trial(machine)
    machine.clock.advance(181)


def expired_while_off(machine: Machine) -> None:
    on_trial(machine)
    for _ in range(2):
        machine.boot()
    machine.clock.advance(181)


def orphaned(machine: Machine) -> None:
    """As a crash between the state and the pointer leaves it (config-control §4.2 C4)."""
    confirmed(machine)
    before = snapshot(machine.home.control_dir)
    machine.poll("E2")
    state = machine.home.state_file.read_bytes()
    restore(machine.home.control_dir, before)
    machine.home.state_file.write_bytes(state)


def bad_in_force(machine: Machine) -> None:
    """As another client leaves it: its only memory is the newest bad etag."""
    confirmed(machine)
    machine.home.state_file.write_text('{"bad_etag": {"etag": "E1", "reason": "x"}}')


def bad_in_force_with_a_seed(machine: Machine) -> None:
    bad_in_force(machine)
    machine.join()


def corrupt(machine: Machine) -> None:
    confirmed(machine)
    machine.home.state_file.write_bytes(b"{ not json")


def retry_due(machine: Machine) -> None:
    expired_while_running(machine)
    machine.tick()
    for _ in range(3):
        machine.poll("E1")
        machine.clock.advance(1800)


def joined_again(machine: Machine) -> None:
    on_trial(machine)
    machine.join()


@dataclass(frozen=True)
class Case:
    """An operation, what it starts from, and what may be in force once it was cut short."""

    prepare: Callable[[Machine], None]
    act: Callable[[Machine], object]
    before: str
    after: str
    served: str
    settled: str
    commits: int
    is_at_boot: bool = False


def stage(etag: str) -> Callable[[Machine], object]:
    return lambda machine: machine.engine.stage(document(etag), etag)


def confirm(machine: Machine) -> object:
    return machine.engine.confirm_poll()


def tick(machine: Machine) -> object:
    return machine.engine.tick()


def look(machine: Machine) -> object:
    return machine.engine.evaluate_at_boot()


def reset(machine: Machine) -> object:
    return machine.engine.reset_to_seed()


CASES = {
    "first apply": Case(seeded, stage("E1"), SEED, "E1", "E1", "E1", 1),
    "apply with nothing before": Case(bare, stage("E1"), NOTHING, "E1", "E1", "E1", 1),
    "apply": Case(confirmed, stage("E2"), "E1", "E2", "E2", "E2", 1),
    "refusal": Case(confirmed, stage(BAD), "E1", "E1", BAD, "E1", 0),
    "retry of a soft ban": Case(retry_due, stage("E2"), "E1", "E2", "E2", "E2", 1),
    "confirmation": Case(on_trial, confirm, "E2", "E2", "E2", "E2", 0),
    "first confirmation": Case(on_first_trial_with_the_seed, confirm, "E1", "E1", "E1", "E1", 0),
    "rollback": Case(expired_while_running, tick, "E2", "E1", "E2", "E1", 1),
    "first rollback": Case(first_expired_while_running, tick, "E1", SEED, "E1", SEED, 1),
    "rollback at boot": Case(expired_while_off, look, "E2", "E1", "E2", "E1", 1, is_at_boot=True),
    "orphan": Case(orphaned, look, "E1", "E1", "E2", "E2", 0, is_at_boot=True),
    "bad in force": Case(bad_in_force, look, "E1", "E1", "E2", "E2", 0, is_at_boot=True),
    "bad in force, seed": Case(
        bad_in_force_with_a_seed, look, "E1", SEED, "E2", "E2", 1, is_at_boot=True
    ),
    "corrupt state": Case(corrupt, look, "E1", "E1", "E2", "E2", 0, is_at_boot=True),
    "join again": Case(joined_again, reset, "E2", SEED, "E3", "E3", 1),
}


def is_judged(case: Case) -> bool:
    """Say whether the operation is to find the served config bad."""
    return case.served != case.settled


def check(machine: Machine, case: Case, *, is_bad_known: bool = False) -> None:
    """Hold what is on disk against the invariants, without an engine."""
    in_force = machine.in_force()
    assert in_force in {case.before, case.after}
    # What no poll has confirmed is on trial, or it would never be taken back.
    is_confirmed = in_force in {SEED, NOTHING, *machine.edges} or case.act is confirm
    assert is_confirmed or machine.on_trial() == in_force
    if not is_bad_known:
        assert in_force not in machine.banned()


def check_again(machine: Machine, case: Case) -> None:
    """Start anew on what was left, and poll: everything comes to the same end."""
    machine.boot()
    check(machine, case)
    assert machine.leftovers() == []
    if is_judged(case) and case.served != BAD and machine.on_trial() == case.served:
        # The crash came before anything was judged: the window, of which a part is lost, goes on.
        machine.clock.advance(181)
        machine.tick()
    machine.poll(case.served)
    machine.poll(case.served)
    assert machine.in_force() == case.settled
    assert machine.on_trial() is None
    assert (case.served in machine.banned()) is is_judged(case)
    assert not machine.home.seed_file.exists() or case.settled == SEED


def prepared(folder: Path, case: Case) -> Machine:
    machine = Machine(HypHome(folder))
    case.prepare(machine)
    return machine


def put_disk_in(machine: Machine, case: Case, disk: FaultyDisk) -> None:
    """Let the engine go on with a disk that goes wrong; its time must not be lost."""
    if case.is_at_boot:
        machine.start(disk)
    else:
        machine.put_in(disk)


def run_once(folder: Path, case: Case) -> FaultyDisk:
    machine = prepared(folder, case)
    disk = FaultyDisk(machine.home.control_dir)
    put_disk_in(machine, case, disk)
    case.act(machine)
    return disk


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_crash_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, case: Case) -> None:
    """config-control 33 and 34, contract §11: every step, killed or with the power cut."""
    whole = run_once(tmp_path / "whole", case)
    assert whole.commits() == case.commits
    found = 0
    for number in range(1, len(whole.steps) + 1):
        machine = prepared(tmp_path / str(number), case)
        disk = FaultyDisk(machine.home.control_dir, fault_at=number)
        put_disk_in(machine, case, disk)
        with pytest.raises(Crash):
            case.act(machine)
        assert disk.steps == whole.steps[:number]
        stopped_at = machine.clock.now()
        for aftermath in set(disk.aftermaths()):
            found += 1
            machine.clock = ManualClock(stopped_at)
            restore(machine.home.control_dir, aftermath)
            check_state_after_crash(machine, case, aftermath)
            check_again(machine, case)
    assert found > len(whole.steps) > 0


def check_state_after_crash(machine: Machine, case: Case, aftermath: Snapshot) -> None:
    is_corrupt = read_control_state(machine.home).problem is not None
    assert not is_corrupt or case.prepare is corrupt, aftermath
    # Bad in force is what these start from.
    is_bad_known = is_corrupt or case.prepare in {bad_in_force, bad_in_force_with_a_seed}
    check(machine, case, is_bad_known=is_bad_known)
    if case.prepare is bad_in_force_with_a_seed and machine.in_force() == case.before:
        assert case.before in machine.banned()


@pytest.mark.parametrize("fault", [fault for fault in get_args(Fault) if fault != "crash"])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_failing_disk_never_ends_the_engine(tmp_path: Path, case: Case, fault: Fault) -> None:
    """Any step fails, or all from there on; the same engine goes on with a disk that works."""
    whole = run_once(tmp_path / "whole", case)
    for number in range(1, len(whole.steps) + 1):
        machine = prepared(tmp_path / str(number), case)
        disk = FaultyDisk(machine.home.control_dir, fault=fault, fault_at=number)
        put_disk_in(machine, case, disk)
        try:
            case.act(machine)
        except OSError:
            assert case.act in {confirm, reset}
        disk.fault_at = None
        if case.act is reset:
            machine.engine.reset_to_seed()
        if case.is_at_boot:
            check_again(machine, replace(case, prepare=confirmed))
            continue
        machine.engine.restart_completed()
        if is_judged(case) and case.served != BAD:
            machine.tick()
        for _ in range(3):
            machine.poll(case.served)
        assert machine.in_force() == case.settled
        assert machine.on_trial() is None
        assert (case.served in machine.banned()) is is_judged(case)
        machine.boot()
        assert machine.in_force() == case.settled
        assert machine.leftovers() == []


FLIP = "replace active"
FLIP_SYNC = (FLIP, "fsync config-control")


def put_in_failing(machine: Machine, *steps: str) -> None:
    """Put a disk in on which the last of these steps fails, when they come one after the other."""
    disk = FaultyDisk(machine.home.control_dir)

    def step(call: str, path: Path) -> None:
        disk.steps.append(f"{call} {path.name}")
        if tuple(disk.steps[-len(steps) :]) == steps:
            raise OSError(errno.EIO, "Input/output error", str(path))

    disk._step = step  # type: ignore[method-assign]
    machine.put_in(disk)


def test_an_apply_whose_pointer_cannot_move_leaves_nothing_behind(tmp_path: Path) -> None:
    machine = prepared(tmp_path, CASES["apply"])
    put_in_failing(machine, FLIP)
    assert machine.engine.stage(document("E2"), "E2").error_kind == "apply_io_error"
    assert not machine.engine.is_restart_pending
    assert read_control_state(machine.home).probation is None
    assert machine.banned() == set()
    assert machine.leftovers() == []


def test_an_apply_counts_once_the_pointer_has_moved(tmp_path: Path) -> None:
    """That the folder could not be fsynced is no reason to run one config and name another."""
    machine = prepared(tmp_path, CASES["apply"])
    put_in_failing(machine, *FLIP_SYNC)
    assert machine.engine.stage(document("E2"), "E2").is_restart_wanted
    assert machine.engine.is_restart_pending
    assert machine.on_trial() == "E2"
    assert "config.pointer_unsynced" in machine.log.names()


def test_a_rollback_counts_once_the_pointer_has_moved(tmp_path: Path) -> None:
    machine = prepared(tmp_path, CASES["rollback"])
    put_in_failing(machine, *FLIP_SYNC)
    result = machine.engine.tick()
    assert result is not None
    assert result.is_restart_wanted
    assert machine.in_force() == "E1"
    machine.put_in(DISK)
    machine.engine.restart_completed()
    assert machine.engine.stage(document("E2"), "E2").action == "skipped_bad_etag"
    assert "E2" in machine.banned()


def test_a_rollback_that_fails_is_tried_again(tmp_path: Path) -> None:
    machine = prepared(tmp_path, CASES["rollback"])
    put_in_failing(machine, FLIP)
    result = machine.engine.tick()
    assert result is not None
    assert result.outcome == "failed"
    assert machine.on_trial() == "E2"
    assert machine.engine.next_tick_s() == 10
    machine.put_in(DISK)
    machine.tick()
    assert machine.in_force() == "E1"
