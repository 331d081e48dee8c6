"""Following loses nothing and repeats nothing, whatever is rotated meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.logs import Follower, LogFiles, Wanted, newest
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = 8


class Log:
    """Writes numbered lines, and rotates as the daemon does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.written = 0

    def line(self) -> bytes:
        self.written += 1
        ts = f"2026-11-25T10:00:{self.written // 1000:02d}.{self.written % 1000:03d}Z"
        fields = {"ts": ts, "level": "info", "event": "tick", "n": self.written}
        return json.dumps(fields).encode() + b"\n"

    def add(self, data: bytes | None = None) -> None:
        with self.path.open("ab") as stream:
            stream.write(self.line() if data is None else data)

    def rotate(self) -> None:
        for number in range(KEPT, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path if number == 1 else older.with_suffix(f".{number - 1}")
            if newer.exists():
                newer.replace(older)
        self.path.touch()


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path)


@pytest.fixture
def log(home: HypHome) -> Log:
    return Log(home.log_file)


@pytest.fixture
def follower(home: HypHome, log: Log) -> Iterator[Follower]:
    log.add()
    follower = Follower(LogFiles(home))
    yield follower
    follower.close()


def numbers(follower: Follower) -> list[object]:
    return [line.fields["n"] for line in follower.look()]


def test_what_is_added_comes_once(log: Log, follower: Follower) -> None:
    log.add()
    log.add()
    assert numbers(follower) == [2, 3]
    assert numbers(follower) == []


def test_a_line_that_is_not_whole_waits_for_its_end(log: Log, follower: Follower) -> None:
    line = log.line()
    log.add(line[:20])
    assert numbers(follower) == []
    log.add(line[20:])
    assert numbers(follower) == [2]


def test_a_log_that_is_cut_off_is_read_from_its_begin(log: Log, follower: Follower) -> None:
    log.add()
    assert numbers(follower) == [2]
    log.path.write_bytes(log.line())
    assert numbers(follower) == [3]


def test_a_log_that_was_not_there_is_taken_up(home: HypHome) -> None:
    follower = Follower(LogFiles(home))
    assert numbers(follower) == []
    log = Log(home.log_file)
    log.add()
    assert numbers(follower) == [1]
    follower.close()


def test_run_folders_come_and_go(home: HypHome, log: Log, follower: Follower) -> None:
    folder = home.provider_runs("claude") / "run-1"
    run = Log(folder / "log.jsonl")
    run.add()
    log.add()
    assert numbers(follower) == [1, 2]
    shutil.rmtree(folder)
    log.add()
    assert numbers(follower) == [3]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(steps=st.lists(st.sampled_from(["add", "part", "rotate", "look"]), max_size=40))
def test_each_line_is_shown_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """As long as no more is rotated away between two looks than is kept."""
    home = HypHome(tmp_path_factory.mktemp("home"))
    log = Log(home.log_file)
    log.add()
    follower = Follower(LogFiles(home))
    past = newest(LogFiles(home).streams(), follower.begins, Wanted(), None)
    shown = [line.fields["n"] for line in past]
    pending = b""
    rotated = 0
    for step in steps:
        if step == "add":
            log.add(pending or None)
            pending = b""
        elif step == "part" and not pending:
            line = log.line()
            log.add(line[:10])
            pending = line[10:]
        elif step == "rotate" and not pending and rotated < KEPT - 1:
            log.rotate()
            rotated += 1
        elif step == "look":
            shown += numbers(follower)
            rotated = 0
    if pending:
        log.add(pending)
    shown += numbers(follower)
    follower.close()
    assert shown == list(range(1, log.written + 1))


@pytest.mark.process
def test_the_program_follows_and_ends_on_ctrl_c(home: HypHome, log: Log) -> None:
    log.add()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "hypactors", "logs", "--follow", "--json"],
        env={**os.environ, "HYP_HOME": str(home.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["n"] == 1
        log.rotate()
        log.add()
        assert json.loads(process.stdout.readline())["n"] == 2
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.process
def test_the_program_says_what_is_wrong_with_its_arguments(home: HypHome) -> None:
    for arguments, text in (
        (["--since", "soon"], "--since expects a duration"),
        (["--level", "loud"], "--level expects one of"),
        (["--lines", "-1"], "--lines expects a number from 0 on"),
        (["--nope"], "no such option: '--nope'"),
    ):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "hypactors", "logs", *arguments],
            env={**os.environ, "HYP_HOME": str(home.root)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 2
        assert text in done.stderr
        assert len(done.stderr.splitlines()) == 1
