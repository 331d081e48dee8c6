"""An import that is killed, told to stop, or that has to wait (contract §5, §11)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hypactors.cli import backfill
from hypactors.lake import Lake
from hypactors.paths import HypHome
from hypactors.processes import ImportLock
from hypactors.sql import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.process

DEADLINE_S = 60
GENERATOR = Path(__file__).parent.parent.parent / "scripts" / "make_transcripts"
# Small batches, so that a small import has many commits to be killed between.
CHILD = (
    "import sys; from hypactors.importing import _engine, _frames;"
    "_engine.COMMIT_ROWS = _frames.FRAME_ROWS = 40;"
    "from hypactors.cli.main import main; sys.exit(main())"
)


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("transcripts")
    subprocess.run(
        [sys.executable, str(GENERATOR), "--out", str(home), "--seed=3", "--sessions=10"],
        check=True,
        capture_output=True,
    )
    return home


class Machine:
    """A ``HYP_HOME`` to import into, and the run folder of one import."""

    def __init__(self, root: Path, transcripts: Path) -> None:
        self.home = HypHome(root / "hyp")
        self.run_dir = root / "run"
        self.run_dir.mkdir(parents=True)
        self.environ = {
            "HYP_HOME": str(self.home.root),
            "HOME": str(transcripts),
            "PATH": os.environ["PATH"],
        }

    @contextlib.contextmanager
    def child(
        self, *, lock_fd: int | None = None, log: bool = True
    ) -> Iterator[subprocess.Popen[str]]:
        """Start an import as the launcher would; it is gone when the context ends."""
        extra = {"HYP_RUN_DIR": str(self.run_dir)} if log else {}
        if lock_fd is not None:
            extra["HYP_IMPORT_LOCK_FD"] = str(lock_fd)
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, "backfill", "claude", "--json"],
            env={**self.environ, **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=() if lock_fd is None else (lock_fd,),
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def commits(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return (self.run_dir / "log.jsonl").read_text().count('"batch_committed"')
        return 0

    def counts(self) -> tuple[int, int]:
        """Return how many rows there are, and how many different ones."""
        sql = "select count(*), count(distinct part_id) from ai_gateway_messages"
        [(rows, distinct)] = query(Lake.of(self.home), sql).rows
        return rows, distinct


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def total(transcripts: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    machine = Machine(tmp_path_factory.mktemp("undisturbed"), transcripts)
    assert backfill.main(["claude"], machine.environ) == 0
    rows, distinct = machine.counts()
    assert rows == distinct > 400
    return rows


def test_a_killed_import_is_made_whole_by_the_next(
    tmp_path: Path, transcripts: Path, total: int
) -> None:
    partial = 0
    rounds = (1, 2, 4, 7)
    for kill_after in rounds:
        machine = Machine(tmp_path / f"after-{kill_after}", transcripts)
        with machine.child() as process:
            wait_until(lambda: machine.commits() >= kill_after, process)  # noqa: B023 - used at once
            process.kill()
            assert finish(process)[0] == -signal.SIGKILL
        partial += 0 < machine.counts()[0] < total

        assert backfill.main(["claude"], machine.environ) == 0

        assert machine.counts() == (total, total)
    assert partial * 2 >= len(rounds)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_an_import_that_is_told_to_stop_ends_between_two_commits(
    number: signal.Signals, code: int, tmp_path: Path, transcripts: Path, total: int
) -> None:
    """import 25: what aborts an import here is a signal, and no session is read after it."""
    machine = Machine(tmp_path, transcripts)
    with machine.child() as process:
        wait_until(lambda: machine.commits() >= 2, process)
        process.send_signal(number)
        exit_code, out, err = finish(process)

    assert (exit_code, out) == (code, "")
    assert err == (
        f"hyp backfill: interrupted by {number.name}: what is committed stays, "
        "and the next run adds the rest\n"
    )
    rows, distinct = machine.counts()
    assert 0 < rows == distinct < total
    committed = [
        json.loads(event)["rows_total"]
        for event in (machine.run_dir / "log.jsonl").read_text().splitlines()
        if "batch_committed" in event
    ]
    assert committed[-1] == rows

    assert backfill.main(["claude"], machine.environ) == 0
    assert machine.counts() == (total, total)


def test_a_second_import_of_a_provider_waits_and_says_so(
    tmp_path: Path, transcripts: Path, total: int
) -> None:
    machine = Machine(tmp_path, transcripts)
    lock = ImportLock.try_take(machine.home.import_lock("claude"))
    assert lock is not None
    with machine.child(log=False) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said == (
            "hyp backfill: another import of claude is running; waiting for it to end\n"
        )
        assert not machine.home.lake_dir.exists()
        lock.close()
        assert finish(process)[0] == 0
    assert machine.counts() == (total, total)


def test_whoever_does_not_want_to_wait_is_told_so(
    tmp_path: Path, transcripts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Contract §4: exit code 6, and nothing is written."""
    machine = Machine(tmp_path, transcripts)
    lock = ImportLock.try_take(machine.home.import_lock("claude"))
    assert lock is not None
    with lock:
        assert backfill.main(["claude", "--no-wait"], machine.environ) == 6
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("hyp backfill: another import of claude is running; nothing was started\n")
    assert not machine.home.lake_dir.exists()
    assert backfill.main(["claude", "--no-wait"], machine.environ) == 0


def test_an_import_that_waits_can_be_stopped(tmp_path: Path, transcripts: Path) -> None:
    machine = Machine(tmp_path, transcripts)
    lock = ImportLock.try_take(machine.home.import_lock("claude"))
    assert lock is not None
    with lock, machine.child(log=False) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.terminate()
        assert finish(process)[0] == 143


def test_an_inherited_lock_is_used(tmp_path: Path, transcripts: Path) -> None:
    machine = Machine(tmp_path, transcripts)
    lock = ImportLock.try_take(machine.home.import_lock("claude"))
    assert lock is not None
    with lock, machine.child(lock_fd=lock.fileno()) as process:
        exit_code, out, err = finish(process)

    assert exit_code == 0, err
    assert json.loads(out)["providers"][0]["status"] == "ok"
    assert "waiting" not in err
