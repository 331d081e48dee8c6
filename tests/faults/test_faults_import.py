"""Imports that are killed at any instant, and two that write at once (import 44, contract §11)."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from hypactors.lake import Lake
from hypactors.paths import HypHome
from hypactors.sql import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.process

DEADLINE_S = 60
KILLS = 50
KILLS_A_HOME = 5
ROOT = Path(__file__).parents[2]
CHILD = (
    "import sys; from hypactors.importing import _engine, _frames;"
    "_engine.COMMIT_ROWS, _frames.FRAME_ROWS = int(sys.argv.pop(1)), int(sys.argv.pop(1));"
    "from hypactors.cli.main import main; sys.exit(main())"
)


class Home:
    """A ``HYP_HOME`` that history is imported into."""

    def __init__(self, root: Path, history: Path) -> None:
        root.mkdir(parents=True)
        self.home = HypHome(root / "hyp")
        self.log = root / "log.jsonl"
        self.environ = {
            "HYP_HOME": str(self.home.root),
            "HOME": str(history),
            "HYP_RUN_DIR": str(root),
            "PATH": os.environ["PATH"],
        }

    @contextlib.contextmanager
    def importing(
        self, provider: str = "claude", *, commit_rows: int = 1500
    ) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            [
                *(sys.executable, "-c", CHILD, str(commit_rows), str(min(500, commit_rows))),
                *("backfill", provider, "--json"),
            ],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def finish(self) -> None:
        with self.importing() as process:
            out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, err
        assert json.loads(out)["providers"][0]["status"] == "ok"

    def commits(self) -> list[str]:
        """Return the provider of each commit that was told, in their order."""
        with contextlib.suppress(FileNotFoundError):
            lines = [json.loads(line) for line in self.log.read_text().splitlines()]
            return [line["provider"] for line in lines if line["event"] == "batch_committed"]
        return []

    def rows(self) -> int:
        [(count,)] = query(Lake.of(self.home), "select count(*) from ai_gateway_messages").rows
        return int(count)

    def contents(self) -> tuple[object, ...]:
        """Return how many rows there are, how many parts, and a digest of all that they hold."""
        sql = (
            "select count(*), count(distinct part_id), bit_xor(hash(row(t))) "
            "from (select * exclude (conversation_started_at) from ai_gateway_messages) t"
        )
        [found] = query(Lake.of(self.home), sql).rows
        return found


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until it is so, or until the import is over."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with 20 MB of transcripts, one of them of a third of that."""
    folder = tmp_path_factory.mktemp("history")
    subprocess.run(
        [
            *(sys.executable, str(ROOT / "scripts" / "make_transcripts"), "--out", str(folder)),
            *("--seed", "11", "--megabytes", "13", "--large", "7"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def undisturbed(history: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    home = Home(tmp_path_factory.mktemp("undisturbed") / "home", history)
    home.finish()
    contents = home.contents()
    assert contents[0] == contents[1]
    assert home.rows() > 10_000
    return contents


def test_an_import_that_is_killed_50_times_brings_each_row_once(
    history: Path, undisturbed: tuple[object, ...], tmp_path: Path
) -> None:
    """At random instants, several times in one home, and each home is then finished."""
    chance = random.Random(7)  # noqa: S311 - the same on each run
    landed = partial = homes = 0
    total = undisturbed[0]
    while landed < KILLS:
        homes += 1
        assert homes <= KILLS, "nearly no kill came before the end"
        home = Home(tmp_path / f"home-{homes}", history)
        for _ in range(KILLS_A_HOME):
            before = len(home.commits())
            wanted, delay_s = before + chance.randrange(4), chance.random() * 0.1
            with home.importing() as process:
                wait_until(lambda: len(home.commits()) >= wanted, process)  # noqa: B023 - used at once
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(delay_s)
                workers = _descendants(process.pid)
                process.kill()
                process.communicate(timeout=DEADLINE_S)
            landed += process.returncode == -signal.SIGKILL
            _, alive = psutil.wait_procs(workers, timeout=DEADLINE_S)
            assert alive == [], "a worker outlived the import"
            partial += 0 < home.rows() < total  # type: ignore[operator]
        home.finish()
        assert home.contents() == undisturbed
        shutil.rmtree(tmp_path / f"home-{homes}")
    assert partial >= landed / 2


def _descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def test_two_providers_at_once_lose_no_commit(history: Path, tmp_path: Path) -> None:
    both = tmp_path / "history"
    shutil.copytree(history / ".claude", both / ".claude")
    codex = ROOT / "tests" / "data" / "transcripts" / "codex-a" / "home" / ".codex"
    for copy in range(8):
        _copy_rollouts(codex, both / ".codex", f"{copy:04x}")
    home = Home(tmp_path / "home", both)
    with (
        home.importing("claude", commit_rows=600) as claude,
        home.importing("codex", commit_rows=60) as rollouts,
    ):
        results = [each.communicate(timeout=DEADLINE_S) for each in (claude, rollouts)]
    written = {}
    for out, err in results:
        [told] = json.loads(out)["providers"]
        assert told["status"] == "ok", err
        written[told["provider"]] = told["rows_written"]

    sql = (
        "select client_name, count(*), count(distinct part_id) from ai_gateway_messages group by 1"
    )
    assert {
        client: (rows, parts) for client, rows, parts in query(Lake.of(home.home), sql).rows
    } == {provider: (rows, rows) for provider, rows in written.items()}
    commits = home.commits()
    turns = sum(before != after for before, after in itertools.pairwise(commits))
    assert turns >= 4, "they have to get in each other's way"


def _copy_rollouts(source: Path, target: Path, tag: str) -> None:
    """Copy rollouts so that each says that it is another session."""
    for path in source.rglob("rollout-*"):
        own = path.stem[-36:-32]
        copy = target / path.relative_to(source).with_name(path.name.replace(own, tag))
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text().replace(own, tag))
