"""The daemon's log: what an operator reads, and what must never stop the daemon."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypactors.clock import ManualClock
from hypactors.observability import DaemonLog, readable_line
from hypactors.paths import HypHome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_BYTES = 4096
FILES = 3

FIXED = ["ts", "level", "event", "pid", "mode", "daemon_run_id"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A terminal that was closed."""

    def write(self, _text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


@pytest.fixture
def home(tmp_path: Path) -> HypHome:
    return HypHome(tmp_path / "hyp home ü")


def new_log(home: HypHome, stderr: io.StringIO | None = None, *, files: int = FILES) -> DaemonLog:
    return DaemonLog(
        home,
        clock=ManualClock(),
        mode="foreground",
        daemon_run_id="daemon-1",
        max_bytes=MAX_BYTES,
        files=files,
        stderr=stderr or io.StringIO(),
    )


@pytest.fixture
def open_log(home: HypHome) -> Iterator[Callable[..., DaemonLog]]:
    opened: list[DaemonLog] = []

    def open_one(stderr: io.StringIO | None = None, *, files: int = FILES) -> DaemonLog:
        opened.append(new_log(home, stderr, files=files))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


def lines(home: HypHome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in home.log_file.read_text().splitlines()]


def test_every_line_carries_the_same_keys_first_and_in_order(
    home: HypHome, open_log: Callable[..., DaemonLog]
) -> None:
    """Contract §10."""
    logger = open_log().logger().bind(actor="reconciler")
    logger.info("daemon.starting", config_path="/home/ü")
    logger.bind(run_id="run-1").warning("import_interrupted", provider="claude")
    assert [list(line) for line in lines(home)] == [
        [*FIXED, "actor", "config_path"],
        [*FIXED, "actor", "run_id", "provider"],
    ]
    assert lines(home)[0] == {
        "ts": "2026-06-25T00:00:00.000Z",
        "level": "info",
        "event": "daemon.starting",
        "pid": os.getpid(),
        "mode": "foreground",
        "daemon_run_id": "daemon-1",
        "actor": "reconciler",
        "config_path": "/home/ü",
    }


def test_what_is_not_known_is_left_out(home: HypHome, open_log: Callable[..., DaemonLog]) -> None:
    open_log().logger(provider=None).info("x", run_id=None, rows=0)
    assert list(lines(home)[0]) == [*FIXED, "rows"]


def test_levels_have_one_name_each_and_debug_is_not_logged(
    home: HypHome, open_log: Callable[..., DaemonLog]
) -> None:
    logger = open_log().logger()
    logger.debug("debug")
    for level in ("info", "warn", "warning", "error", "critical"):
        getattr(logger, level)(level)
    assert [line["level"] for line in lines(home)] == [
        "info",
        "warning",
        "warning",
        "error",
        "critical",
    ]


def test_a_line_is_in_the_file_when_the_call_returns(
    home: HypHome, open_log: Callable[..., DaemonLog]
) -> None:
    """Whoever is killed right after has said it."""
    logger = open_log().logger()
    for number in range(3):
        logger.info("x", number=number)
        assert lines(home)[-1]["number"] == number


def test_file_and_folder_are_for_their_owner(
    home: HypHome, open_log: Callable[..., DaemonLog]
) -> None:
    logger = open_log().logger()
    for _ in range(100):
        logger.info("x", padding="x" * 100)
    assert stat.S_IMODE(home.log_file.parent.stat().st_mode) == 0o700
    files = list(home.log_file.parent.iterdir())
    assert len(files) == FILES
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_later_daemon_appends(home: HypHome, open_log: Callable[..., DaemonLog]) -> None:
    for number in range(2):
        log = open_log()
        log.logger().info("x", number=number)
        log.close()
    assert [line["number"] for line in lines(home)] == [0, 1]


def test_nothing_is_lost_over_a_rotation(home: HypHome, open_log: Callable[..., DaemonLog]) -> None:
    logger = open_log().logger()
    numbers = range(40)
    for number in numbers:
        logger.info("x", number=number)
    texts = [path.read_text() for path in sorted(home.log_file.parent.iterdir(), reverse=True)]
    assert len(texts) == 2
    assert [json.loads(line)["number"] for line in "".join(texts).splitlines()] == list(numbers)


@pytest.mark.parametrize("files", [2, FILES])
def test_the_log_has_a_bound(home: HypHome, open_log: Callable[..., DaemonLog], files: int) -> None:
    """``log.files`` files of ``log.max_bytes``, and the newest line is there."""
    logger = open_log(files=files).logger()
    for number in range(300):
        logger.info("x", number=number)
        sizes = [path.stat().st_size for path in home.log_file.parent.iterdir()]
        assert len(sizes) <= files
        assert max(sizes) <= MAX_BYTES
    assert lines(home)[-1]["number"] == 299


def test_the_bound_is_one_of_bytes(home: HypHome, open_log: Callable[..., DaemonLog]) -> None:
    logger = open_log().logger()
    for _ in range(20):
        logger.info("x", padding="語" * 500)
        assert home.log_file.stat().st_size <= MAX_BYTES


def fill_up(home: HypHome) -> None:
    """Let the log lie on a disk that has no room left."""
    home.log_file.parent.mkdir(parents=True)
    home.log_file.symlink_to("/dev/full")


needs_dev_full = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="this system has no /dev/full"
)


@needs_dev_full
def test_a_full_disk_costs_lines_and_nothing_else(home: HypHome) -> None:
    fill_up(home)
    terminal = Terminal()
    log = new_log(home, terminal)
    for _ in range(3):
        log.logger().error("marker_write_failed")
    assert terminal.getvalue().count("marker_write_failed") == 3
    with contextlib.suppress(OSError):  # that is the next test
        log.close()


@needs_dev_full
def test_a_full_disk_does_not_keep_the_log_from_being_closed(home: HypHome) -> None:
    """It is the last thing a daemon does: an error there would be its exit code."""
    fill_up(home)
    log = new_log(home)
    log.logger().info("x")
    log.close()


def test_lines_are_there_again_when_there_is_room_again(
    home: HypHome, open_log: Callable[..., DaemonLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log()
    logger = log.logger()
    with monkeypatch.context() as patch:

        def full(_record: object) -> str:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(log._file, "format", full)
        logger.info("lost")
    logger.info("kept")
    assert [line["event"] for line in lines(home)] == ["kept"]


def test_a_rotation_that_fails_costs_lines_and_nothing_else(
    home: HypHome, open_log: Callable[..., DaemonLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = open_log().logger()
    with monkeypatch.context() as patch:

        def read_only(*_args: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        patch.setattr(os, "rename", read_only)
        for _ in range(60):
            logger.info("before")
    logger.info("after")
    assert lines(home)[-1]["event"] == "after"


def test_on_a_terminal_all_is_told_and_elsewhere_only_what_is_wrong(
    open_log: Callable[..., DaemonLog],
) -> None:
    for stderr, told in ((Terminal(), 4), (io.StringIO(), 3)):
        logger = open_log(stderr).logger()
        logger.info("said")
        logger.warning("said")
        logger.error("said")
        logger.critical("said")
        assert stderr.getvalue().count("said") == told


def test_a_terminal_that_went_away_does_not_stop_the_daemon(
    home: HypHome, open_log: Callable[..., DaemonLog]
) -> None:
    closed = Terminal()
    for stderr in (Gone(), closed):
        logger = open_log(stderr).logger()
        closed.close()
        logger.error("said")
    assert len(lines(home)) == 2


def test_a_readable_line_has_time_level_event_and_what_it_is_about(
    open_log: Callable[..., DaemonLog],
) -> None:
    terminal = Terminal()
    logger = open_log(terminal).logger(actor="reconciler")
    logger.warning(
        "x.happened", detail="no luck", rows=7, problems=["a b"], empty="", traceback="…"
    )
    assert terminal.getvalue() == (
        '00:00:00 warning x.happened actor=reconciler detail="no luck" rows=7 '
        'problems="["a b"]" empty=""\n'
    )


def test_what_no_terminal_should_obey_is_escaped(open_log: Callable[..., DaemonLog]) -> None:
    """Values come from files and children."""
    terminal = Terminal()
    open_log(terminal).logger().info("x", path="\x1b[2J\nfake\u202e\x9b", surrogate="a\udc80b")
    [line] = terminal.getvalue().splitlines()
    assert r"path=\x1b[2J\nfake\u202e\x9b" in line
    assert r"surrogate=a\udc80b" in line
    assert line.isprintable()


@given(value=st.text() | st.lists(st.text()) | st.integers() | st.floats() | st.none())
def test_a_readable_line_is_one_printable_line(value: object) -> None:
    line = readable_line(
        {"ts": "2026-06-25T00:00:00.000Z", "level": "info", "event": "x", "v": value}
    )
    assert line.isprintable()
    assert line.startswith("00:00:00 info    x v=")


@pytest.mark.parametrize("value", ["a\udc80b", "\x00\x1b\n\u2028", "語", object(), {1, 2}, b"x"])
def test_any_value_is_one_line_of_utf_8_json(
    home: HypHome, open_log: Callable[..., DaemonLog], value: object
) -> None:
    """A lone surrogate in a file name, say, must not cost the line."""
    open_log().logger().info("x", value=value)
    raw = home.log_file.read_bytes()
    assert raw.count(b"\n") == 1
    expected = value if isinstance(value, str) else str(value)
    assert json.loads(raw.decode())["value"] == expected
