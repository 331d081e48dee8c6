"""Where the rows of ``hyp query sql`` go, how many there are, and how long it may take."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pyarrow.parquet as pq
import pytest

from hypactors.cli import query
from hypactors.cli._query_output import csv_lines
from tests.processes.lab import eventually

if TYPE_CHECKING:
    from pathlib import Path

HYP = (sys.executable, "-P", "-m", "hypactors")
THREE = "select * from range(3) t(n)"
TRAP_S = 60


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HYP_HOME": str(tmp_path / "home")}


def run(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], *argv: str
) -> tuple[int, str, str]:
    code = query.main(["sql", *argv], environ)
    captured = capsys.readouterr()
    first, _, rest = captured.err.partition("\n")
    assert first.startswith("hyp query: nothing was imported yet")
    return code, captured.out, rest


def cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def test_csv_is_read_back_as_it_was(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    sql = """select 'a "b", c' || chr(10) || 'd' as t, null as n, 1 as i, 2 as i, [1, 2] as l,
        '{"k": 1}'::json as j, timestamp '2026-01-02 03:04:05' as at"""
    code, out, _ = run(capsys, environ, sql, "--csv")

    assert code == 0
    assert list(csv.reader(io.StringIO(out))) == [
        ["t", "n", "i", "i_1", "l", "j", "at"],
        ['a "b", c\nd', "", "1", "2", "[1, 2]", '{"k": 1}', "2026-01-02T03:04:05.000Z"],
    ]


def test_csv_on_a_terminal_cannot_paint_it() -> None:
    columns, rows = [("a", "VARCHAR")], [("\x1b[31mred",)]

    assert list(csv_lines(columns, rows, is_shown=True)) == ["a", " [31mred"]
    assert list(csv_lines(columns, rows, is_shown=False)) == ["a", "\x1b[31mred"]


@pytest.mark.parametrize(
    ("limit", "rows", "note"),
    [
        ("2", 2, "hyp query: cut after 2 rows; --limit 0 gives all\n"),
        ("3", 3, ""),
        ("0", 3, ""),
    ],
)
def test_a_limit_cuts_and_says_so(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], limit: str, rows: int, note: str
) -> None:
    code, out, err = run(capsys, environ, THREE, "--limit", limit, "--json")

    assert code == 0
    assert [row["n"] for row in json.loads(out)] == list(range(rows))
    assert err == note


def test_a_time_limit_is_a_line_and_exit_1(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    endless = "select count(*) from range(1000000000) a, range(1000000000) b"
    code = query.main(["sql", endless, "--timeout", "0.1"], environ)

    captured = capsys.readouterr()
    assert (code, captured.out) == (1, "")
    assert captured.err == (
        "hyp query: stopped after 0.1 s, the time limit; --timeout sets another\n"
    )


def test_rows_go_to_a_private_file_that_is_not_replaced_by_chance(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "rows.parquet"
    sql = "select n, n as n from range(3000) t(n)"
    told = f"hyp query: 3,000 rows written to {target}\n"
    assert run(capsys, environ, sql, "--parquet", str(target)) == (0, "", told)
    assert pq.read_table(target).column_names == ["n", "n_1"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600

    assert query.main(["sql", THREE, "--parquet", str(target)], environ) == 1
    assert "is there already; --force replaces it" in capsys.readouterr().err
    assert pq.read_metadata(target).num_rows == 3000

    code, _, told = run(
        capsys, environ, sql, "--parquet", str(target), "--force", "--limit", "2500"
    )
    assert (code, told) == (0, f"hyp query: 2,500 rows written to {target}\n")
    assert pq.read_table(target)["n"].to_pylist() == list(range(2500))


@pytest.mark.process
@pytest.mark.parametrize(
    ("target", "message"),
    [("", "is a folder; name a file in it"), ("no/x", "there is no folder")],
)
def test_a_file_that_cannot_be_written_is_said_before_the_query_runs(
    environ: dict[str, str], tmp_path: Path, target: str, message: str
) -> None:
    done = subprocess.run(
        [*HYP, "query", "sql", "nonsense", "--parquet", str(tmp_path / target)],
        env=environ, capture_output=True, text=True, check=False, timeout=TRAP_S,
    )  # fmt: skip

    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.process
def test_a_statement_can_come_from_stdin(environ: dict[str, str]) -> None:
    def ask(statement: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*HYP, "query", "sql", "-", "--csv"],
            input=statement, env={**environ, "PYTHONUTF8": "1"}, capture_output=True, check=False,
            timeout=TRAP_S,
        )  # fmt: skip

    assert ask(b"-- a comment\nselect 'x' as a\n").stdout == b"a\nx\n"
    refused = ask(b"select '\xff'")
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"not text in UTF-8" in refused.stderr


@pytest.mark.process
def test_a_table_on_a_terminal_has_so_many_rows_and_no_more(environ: dict[str, str]) -> None:
    """And a pipe has them all."""
    command = [*HYP, "query", "sql", "select * from range(3000)"]
    leader, follower = pty.openpty()
    try:
        with subprocess.Popen(
            command, env=environ, stdout=follower, stderr=subprocess.PIPE, text=True
        ) as process:
            os.close(follower)
            shown = b""
            while b"rows)" not in shown:
                shown += os.read(leader, 65536)
            assert process.stderr is not None
            told = process.stderr.read()
    finally:
        os.close(leader)
    assert b"(1000 rows)" in shown
    assert "cut after 1,000 rows; --limit 0 gives all" in told

    piped = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=True, timeout=TRAP_S
    )
    assert "(3000 rows)" in piped.stdout
    assert "cut after" not in piped.stderr


@pytest.mark.process
def test_ctrl_c_ends_a_query_at_once_and_without_a_trace(environ: dict[str, str]) -> None:
    endless = "select count(*) from range(1000000000) a, range(1000000000) b"
    with subprocess.Popen(
        [*HYP, "query", "sql", endless],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            # It takes far less than that to load, so that it is at work.
            eventually(lambda: cpu_s(process.pid) > 2)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=TRAP_S)
        finally:
            process.kill()
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
