"""A real process that applies, confirms and rolls back without end is killed at any instant."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hypactors.config import read_control_state
from hypactors.paths import HypHome
from tests.faults.machine import SEED, Machine

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
ROUNDS = 16

LIFE = """
import itertools, sys
from pathlib import Path
from hypactors.paths import HypHome
from tests.faults.machine import Machine

machine = Machine(HypHome(Path(sys.argv[1])))
machine.boot()
print("ready", flush=True)
for number in itertools.count(int(sys.argv[2])):
    machine.poll(f"E{number}")
    if number % 2:
        machine.poll(f"E{number}")
    else:
        machine.clock.advance(200)
        machine.tick()
"""


@pytest.fixture
def chance() -> random.Random:
    """Say which seed it was when a test fails."""
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)  # noqa: S311 - no secret


def live_and_die(home: HypHome, first: int, wait_s: float) -> None:
    command = [sys.executable, "-c", LIFE, str(home.root), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        # Any instant will do: this is the test's chance, not its synchronisation.
        time.sleep(wait_s)
        child.kill()
        assert child.wait(10) == -signal.SIGKILL


def test_killed_at_any_instant_it_is_the_old_or_the_new(
    tmp_path: Path, chance: random.Random
) -> None:
    """config-control 33: etag and document agree, and the next poll goes on from there."""
    machine = Machine(HypHome(tmp_path))
    machine.join()
    first, busy = 1, 0
    for _ in range(ROUNDS):
        live_and_die(machine.home, first, chance.uniform(0, 0.05))
        in_force = machine.in_force()
        assert in_force not in machine.banned()
        state = read_control_state(machine.home)
        seen = {in_force, *machine.banned(), state.probation.etag if state.probation else SEED}
        last = max((int(etag[1:]) for etag in seen if etag.startswith("E")), default=0)
        # Its work never ends, so it was killed in the middle of it.
        busy += last >= first
        first = max(first, last) + 1
        machine.boot()
        assert machine.leftovers() == []
        machine.settle("good")
        assert machine.in_force() == "good"
        assert machine.on_trial() is None
    assert busy >= ROUNDS / 2
