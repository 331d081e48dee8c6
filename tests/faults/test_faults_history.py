"""Hostile histories and full disks, through the whole import (import 10, 44, issue "bad input")."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.cache import _durable_io
from hypactors.cli import backfill
from hypactors.importing import _engine, _frames
from hypactors.lake import Lake
from hypactors.paths import HypHome
from hypactors.providers import files
from hypactors.providers.claude import _transcript
from hypactors.sql import query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Machine:
    """A home with transcripts, imported in this process."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.projects = root / ".claude" / "projects" / "-work"
        self.projects.mkdir(parents=True)
        self.environ = {
            "HYP_HOME": str(root / "hyp"),
            "HOME": str(root),
            "PATH": os.environ["PATH"],
        }
        self._capsys = capsys

    def write(self, name: str, *lines: str | bytes) -> Path:
        path = self.projects / f"{name}.jsonl"
        path.write_bytes(
            b"\n".join(each if isinstance(each, bytes) else each.encode() for each in lines)
        )
        return path

    def run(self, *options: str) -> tuple[int, dict[str, Any]]:
        """Import everything there is; return the exit code and what is said of the provider."""
        code = backfill.main(["claude", "--json", "--retention-days", "0", *options], self.environ)
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        [told] = json.loads(out)["providers"]
        return code, told

    def rows(self, columns: str = "part_id") -> list[tuple[Any, ...]]:
        sql = f"select {columns} from ai_gateway_messages order by part_id"  # noqa: S608 - columns of ours
        return list(query(Lake.of(HypHome.from_environ(self.environ)), sql).rows)


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, capsys)


def line(number: int | str, *, session: str = "s", **more: Any) -> str:
    fields = {
        "type": "user",
        "sessionId": session,
        "uuid": f"u{number}",
        "timestamp": "2026-11-01T08:00:00.000Z",
        "message": {"role": "user", "content": f"text {number}"},
    }
    return json.dumps(fields | more)


def parts(*numbers: int | str) -> list[tuple[str]]:
    return sorted((f"u{number}#0",) for number in numbers)


def test_content_as_text_and_as_list_and_uuids_that_come_again(machine: Machine) -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    machine.write("one", line(1), line(2, message={"role": "user", "content": blocks}))
    machine.write("two", line(1, session="resumed"), line(3, session="resumed"))
    assert machine.run()[1]["rows_written"] == 4
    assert machine.rows() == [("u1#0",), ("u2#0",), ("u2#1",), ("u3#0",)]


def test_a_torn_line_is_taken_when_it_was_completed(machine: Machine) -> None:
    whole = line(2)
    path = machine.write("one", line(1), whole[:40])
    assert machine.run()[1]["rows_written"] == 1
    path.write_text(f"{line(1)}\n{whole}\n{line(3)}\n")
    assert machine.run()[1]["rows_written"] == 2
    assert machine.rows() == parts(1, 2, 3)


def test_times_far_away_and_numbers_that_are_none_are_stored(machine: Machine) -> None:
    machine.write(
        "one",
        line(1, timestamp="1901-02-03T04:05:06.007Z"),
        line(2, timestamp="2150-01-01T00:00:00.000Z"),
        line(3, timestamp="9999-12-31T23:59:59.999Z"),
        line(4, timestamp="0000-00-00"),
        line(5, timestamp=1e300),
        line(6).replace('"text 6"', '[{"type": "text", "text": "x", "n": NaN}]'),
        line(7, toolUseResult={"big": 10**400, "deep": 2**70}),
        line(8).replace("text 8", "half \\ud800 pair"),
        b'{"type":"user","sessionId":"s","uuid":"u9","message":{"content":"\xff\xfe"}}',
    )
    code, told = machine.run()
    assert (code, told["status"]) == (0, "ok")
    assert machine.rows() == parts(1, 2, 3, 4, 5, 7, 8, 9), "NaN is no JSON: a counted skip"
    years = dict(machine.rows("part_id, extract(year from message_created_at)"))
    assert (years["u1#0"], years["u2#0"], years["u3#0"]) == (1901, 2150, 9999)


def test_what_is_no_file_is_passed_over(machine: Machine) -> None:
    machine.write("one", line(1))
    os.mkfifo(machine.projects / "pipe.jsonl")
    (machine.projects / "loop").symlink_to(machine.projects)
    (machine.projects / "self.jsonl").symlink_to("self.jsonl")
    (machine.projects / "folder.jsonl").mkdir()
    (machine.projects / "socket.jsonl").symlink_to("/dev/zero")
    assert machine.run()[1]["rows_written"] == 1
    assert machine.rows() == parts(1)


def test_a_file_that_may_not_be_read_is_read_when_it_may(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is injected: a test may run as root."""
    machine.write("one", line(1))
    secret = machine.write("secret", line(2))
    really_open = files.open_regular

    def refuse(path: Path) -> Any:
        if path == secret:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return really_open(path)

    with monkeypatch.context() as patch:
        patch.setattr(_transcript, "open_regular", refuse)
        code, told = machine.run()
    assert (code, told["rows_written"]) == (0, 1), "the others are imported all the same"
    assert machine.rows() == parts(1)
    assert machine.run()[1]["rows_written"] == 1
    assert machine.rows() == parts(1, 2)


@pytest.mark.parametrize("what", ["shrinks", "grows", "vanishes", "is rewritten"])
def test_a_file_that_changes_during_the_read_is_made_good_by_the_next_import(
    what: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long file, so that it is read twice; it changes between the two."""
    monkeypatch.setattr(_transcript, "HELD_BYTES", 0)
    path = machine.write("one", *(line(number) for number in range(50)))
    draft = _transcript.Transcript.lines
    changed = False

    def change() -> None:
        if what == "vanishes":
            path.unlink()
        elif what == "shrinks":
            os.truncate(path, path.stat().st_size // 2)
        elif what == "grows":
            with path.open("a") as stream:
                stream.write("\n" + line("new"))
        else:
            path.write_text("\n".join(line(f"other{number}") for number in range(50)))

    def lines(self: _transcript.Transcript) -> Iterator[Any]:
        nonlocal changed
        yield from draft(self)
        if not changed:
            changed = True
            change()

    with monkeypatch.context() as patch:
        patch.setattr(_transcript.Transcript, "lines", lines)
        code, told = machine.run()
    assert (code, told["status"], changed) == (0, "ok", True)

    assert machine.run()[0] == 0
    found = set(machine.rows())
    assert len(found) == len(machine.rows()), "no part is there twice"
    if what == "is rewritten":
        assert found >= set(parts(*(f"other{number}" for number in range(50))))
    elif what == "grows":
        assert found == set(parts(*range(50), "new"))
    elif what == "shrinks":
        assert found >= set(parts(*range(20)))
    else:
        assert found <= set(parts(*range(50)))


class FullDisk:
    """Lets so many writes to the table through, and then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, writes: int | None) -> None:
        self.done = 0

        def write(stream: io.FileIO, data: Any) -> int:
            if writes is not None and self.done >= writes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.done += 1
            return io.FileIO.write(stream, data)

        monkeypatch.setattr(_durable_io._DurableStream, "write", write, raising=False)


def test_a_disk_that_is_full_at_any_write_fails_the_import_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_engine, "COMMIT_ROWS", 10)
    monkeypatch.setattr(_frames, "FRAME_ROWS", 10)

    def machine_of(name: str) -> Machine:
        (tmp_path / name).mkdir()
        machine = Machine(tmp_path / name, capsys)
        machine.write("one", *(line(number) for number in range(20)))
        return machine

    with monkeypatch.context() as patch:
        undisturbed = FullDisk(patch, None)
        assert machine_of("undisturbed").run()[0] == 0
    assert undisturbed.done > 6

    failed = 0
    for writes in range(undisturbed.done):
        machine = machine_of(f"after-{writes}")
        with monkeypatch.context() as patch:
            FullDisk(patch, writes)
            code, told = machine.run()
        failed += code == 1
        if code == 1:
            assert "No space left on device" in told["error"]
            assert len(machine.rows()) in {0, 10, 20}, "a commit is there whole or not at all"
        assert machine.run()[0] == 0
        assert machine.rows() == parts(*range(20))
    assert failed >= undisturbed.done - 1


@pytest.mark.process
def test_a_long_line_and_a_small_disk(tmp_path: Path) -> None:
    """The real program: a line of 10 MB, under a limit for files that it does not fit into."""
    projects = tmp_path / ".claude" / "projects" / "-work"
    projects.mkdir(parents=True)
    noise = os.urandom(5_000_000).hex()
    (projects / "one.jsonl").write_text(
        f"{line(1)}\n{line(2, message={'role': 'user', 'content': noise})}\n"
    )
    environ = {"HYP_HOME": str(tmp_path / "hyp"), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "limit = int(sys.argv.pop(1)); resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit));"
        "from hypactors.cli.main import main; sys.exit(main())"
    )

    def run(limit: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, str(limit), "backfill", "claude", "--json"],
            env=environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    small = run(1_000_000)
    assert small.returncode == 1
    [told] = json.loads(small.stdout)["providers"]
    assert "File too large" in told["error"]
    assert "Traceback" not in small.stderr
    assert run(1_000_000_000).returncode == 0
    sql = "select length(content_text) from ai_gateway_messages order by 1"
    assert list(query(Lake.of(HypHome(tmp_path / "hyp")), sql).rows) == [(6,), (10_000_000,)]
