from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypactors.errors import ImportRunError
from hypactors.processes import (
    ImportLock,
    PidRecord,
    ProcessIdentity,
    ProviderRuns,
    RunRecord,
    RunResult,
    boot_id,
    find_live_runs,
    identify,
)
from hypactors.processes._records import read_record
from tests.processes.lab import NOW, known

if TYPE_CHECKING:
    from hypactors.paths import HypHome
    from hypactors.processes import RunFolder
    from tests.processes.lab import RunLab

RESULT = RunResult(
    run_id="20260625T120000Z-00000a",
    exit_code=0,
    signal=None,
    started_at="2026-06-25T12:00:00.000Z",
    ended_at="2026-06-25T12:00:01.000Z",
    launch_error=None,
)
NOBODY = ProcessIdentity(pid=2**22 + 1, start_ticks=1, create_time=1.0)


@pytest.fixture
def runs(home: HypHome) -> ProviderRuns:
    return ProviderRuns(home, "claude")


def new_run(runs: ProviderRuns, token: str = "00000a", *, now: datetime = NOW) -> RunFolder:  # noqa: S107 - no password
    return runs.new_run(
        plugin="@hypaware/claude",
        request_key="@hypaware/claude",
        argv=["hyp", "backfill", "claude", "--json"],
        since="2026-06-01T00:00:00.000Z",
        attempt=2,
        reason="retry",
        daemon_run_id="daemon-1",
        now=now,
        token=token,
    )


def live_pids(*, launcher: bool = True, child: bool = True) -> PidRecord:
    """Return a record in which this test stands for what is alive."""
    me = known(identify(os.getpid()))
    return PidRecord(
        boot_id=boot_id(), launcher=me if launcher else NOBODY, import_=me if child else NOBODY
    )


def test_run_record_is_on_disk_and_private(home: HypHome, runs: ProviderRuns) -> None:
    """Contract §5: names, fields and modes."""
    folder = new_run(runs)
    assert folder.path == home.control_dir / "runs" / "claude" / "20260625T120000Z-00000a"
    assert json.loads((folder.path / "run.json").read_bytes()) == {
        "v": 1,
        "run_id": "20260625T120000Z-00000a",
        "provider": "claude",
        "plugin": "@hypaware/claude",
        "request_key": "@hypaware/claude",
        "argv": ["hyp", "backfill", "claude", "--json"],
        "since": "2026-06-01T00:00:00.000Z",
        "attempt": 2,
        "reason": "retry",
        "created_at": "2026-06-25T12:00:00.000Z",
        "daemon_run_id": "daemon-1",
        "state": "starting",
        "outcome": None,
        "settled_at": None,
        "elapsed_s": 0.0,
        "stopped_for": None,
    }
    for private in (folder.path, folder.path.parent, home.runs_dir, home.control_dir):
        assert private.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "run.json").stat().st_mode & 0o777 == 0o600


def test_provider_name_that_is_no_folder_name_gets_a_slug(home: HypHome) -> None:
    """Contract §5."""
    folder = new_run(ProviderRuns(home, "My Provider/../x"))
    assert folder.path.parent.parent == home.runs_dir
    assert known(folder.record()).provider == "My Provider/../x"


def test_time_of_another_zone_makes_a_run_id_in_utc(runs: ProviderRuns) -> None:
    """Contract §5: run ids sort by time, so they share one zone."""
    elsewhere = datetime.fromisoformat("2026-06-25T14:00:00+02:00")
    folder = new_run(runs, now=elsewhere)
    assert folder.run_id == "20260625T120000Z-00000a"
    assert known(folder.record()).created_at == "2026-06-25T12:00:00.000Z"


def test_one_run_id_is_given_once(runs: ProviderRuns) -> None:
    new_run(runs)
    with pytest.raises(FileExistsError):
        new_run(runs)


def test_records_survive_the_way_to_disk(runs: ProviderRuns) -> None:
    folder = new_run(runs)
    assert (folder.pids(), folder.result()) == (None, None)
    starting = PidRecord(boot_id=None, launcher=NOBODY, import_=None)
    folder.write_pids(starting)
    assert folder.pids() == starting
    assert "import" in json.loads((folder.path / "pid.json").read_bytes())
    folder.write_pids(live_pids())
    assert folder.pids() == live_pids()
    folder.write_result(RESULT)
    assert folder.result() == RESULT


@pytest.mark.parametrize("name", ["run.json", "pid.json", "result.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"v":2}',
        b'{"v":true}',
    ],
)
def test_record_that_does_not_parse_counts_as_absent(
    runs: ProviderRuns, name: str, content: bytes
) -> None:
    """Contract §5."""
    folder = new_run(runs)
    (folder.path / name).write_bytes(content)
    records = {"run.json": folder.record, "pid.json": folder.pids, "result.json": folder.result}
    assert records[name]() is None


def test_record_of_a_later_version_counts_as_absent(runs: ProviderRuns) -> None:
    """Contract §5: everything has ``v`` 1."""
    folder = new_run(runs)
    later = json.dumps({**msgspec.to_builtins(RESULT), "v": 2})
    (folder.path / "result.json").write_text(later)
    assert folder.result() is None


@pytest.mark.parametrize("pid", [0, -1, True, 1.5, "7", None])
def test_pid_that_no_process_can_have_makes_the_record_absent(
    runs: ProviderRuns, pid: object
) -> None:
    """A signal to pid 0 or -1 would reach far too many."""
    folder = new_run(runs)
    identity = {"pid": pid, "start_ticks": 1, "create_time": 1.0}
    record = {"v": 1, "boot_id": None, "launcher": identity, "import": None}
    (folder.path / "pid.json").write_text(json.dumps(record))
    assert folder.pids() is None


@given(content=st.binary(max_size=60) | st.from_regex(rb'\{"v":1,"[a-z_]+":.{0,20}\}'))
@settings(max_examples=60)
def test_any_bytes_in_a_record_are_survived(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "record.json"
    path.write_bytes(content)
    read_record(path, RunRecord)
    read_record(path, PidRecord)
    read_record(path, RunResult)


def test_runs_are_listed_newest_first(runs: ProviderRuns) -> None:
    assert runs.runs() == []
    for minutes, token in ((5, "00000b"), (1, "00000c"), (9, "00000a")):
        new_run(runs, token, now=NOW + timedelta(minutes=minutes))
    assert [run.run_id for run in runs.runs()] == [
        "20260625T120900Z-00000a",
        "20260625T120500Z-00000b",
        "20260625T120100Z-00000c",
    ]


def test_what_is_no_run_folder_is_not_listed(runs: ProviderRuns) -> None:
    folder = new_run(runs)
    known(ImportLock.try_take(folder.lock_path)).close()
    (runs.path / "notes").mkdir()
    (runs.path / "20260625T120000Z-zzzzzz").mkdir()
    (runs.path / "20260625T120000Z-00000f").write_text("a file")
    assert [run.run_id for run in runs.runs()] == [folder.run_id]


def test_run_is_unsettled_until_its_outcome_is_recorded(runs: ProviderRuns) -> None:
    """Contract §5.3."""
    folder = new_run(runs)
    assert [run.run_id for run in runs.unsettled()] == [folder.run_id]
    assert not folder.is_settled()
    runs.settle(folder, "done", NOW + timedelta(seconds=5))
    assert runs.unsettled() == []
    assert folder.is_settled()
    record = known(folder.record())
    assert (record.state, record.outcome) == ("settled", "done")
    assert record.settled_at == "2026-06-25T12:00:05.000Z"
    assert (record.attempt, record.since) == (2, "2026-06-01T00:00:00.000Z")


def test_folder_without_a_usable_record_has_nothing_to_settle(runs: ProviderRuns) -> None:
    """Contract §5: nothing is started before ``run.json`` is on disk."""
    folder = new_run(runs)
    (folder.path / "run.json").write_bytes(b"{torn")
    assert runs.unsettled() == []
    runs.settle(folder, "interrupted", NOW)
    assert folder.record() is None


def test_the_last_ten_runs_are_kept(runs: ProviderRuns) -> None:
    """Contract §5."""
    folders = [new_run(runs, now=NOW + timedelta(minutes=n)) for n in range(14)]
    for folder in folders:
        runs.settle(folder, "done", NOW)
    runs.prune()
    assert [run.run_id for run in runs.runs()] == [run.run_id for run in folders[:3:-1]]


def test_neither_an_unsettled_nor_a_live_run_is_pruned(runs: ProviderRuns) -> None:
    """Contract §5."""
    folders = [new_run(runs, now=NOW + timedelta(minutes=n)) for n in range(5)]
    _unsettled, live, torn, settled, newest = folders
    for folder in (live, settled, newest):
        runs.settle(folder, "done", NOW)
    live.write_pids(live_pids(launcher=False))
    (torn.path / "run.json").write_bytes(b"")
    runs.prune(keep=1)
    assert {run.run_id for run in runs.runs()} == {
        run.run_id for run in folders if run not in (torn, settled)
    }


def test_output_that_is_not_there_is_empty(runs: ProviderRuns) -> None:
    folder = new_run(runs)
    assert folder.stdout_bytes() == b""
    assert folder.stderr_tail() == ""


def test_too_much_stdout_is_an_error_and_not_a_memory_problem(runs: ProviderRuns) -> None:
    """Contract §5: stdout over the limit fails the run."""
    folder = new_run(runs)
    (folder.path / "stdout").write_bytes(b"x" * 10)
    assert folder.stdout_bytes(10) == b"x" * 10
    with pytest.raises(ImportRunError, match="9 bytes"):
        folder.stdout_bytes(9)


def test_stderr_is_read_from_its_end_whatever_it_is_made_of(runs: ProviderRuns) -> None:
    folder = new_run(runs)
    (folder.path / "stderr").write_bytes(b"first\n" + b"\xff" * 8 + b"last\n")
    assert folder.stderr_tail(limit=5) == "last\n"
    assert folder.stderr_tail() == "first\n" + "\ufffd" * 8 + "last\n"


def test_live_runs_are_found_without_a_daemon(home: HypHome, runs: ProviderRuns) -> None:
    folder = new_run(runs, now=datetime(2026, 6, 25, 12, 0, tzinfo=UTC))
    folder.write_pids(live_pids())
    dead = new_run(ProviderRuns(home, "codex"))
    dead.write_pids(live_pids(launcher=False, child=False))
    new_run(ProviderRuns(home, "other"))
    [live] = find_live_runs(home)
    assert (live.provider, live.plugin) == ("claude", "@hypaware/claude")
    assert (live.run_id, live.pid) == (folder.run_id, os.getpid())
    assert live.started_at == "2026-06-25T12:00:00.000Z"


def test_import_without_its_launcher_is_a_live_run(home: HypHome, runs: ProviderRuns) -> None:
    """Contract §5.2."""
    new_run(runs).write_pids(live_pids(launcher=False))
    assert [live.pid for live in find_live_runs(home)] == [os.getpid()]


def test_looking_for_live_runs_creates_nothing(home: HypHome) -> None:
    assert find_live_runs(home) == []
    assert not home.root.exists()


def test_settling_sweeps_away_what_a_killed_launcher_has_left(lab: RunLab) -> None:
    folder = lab.record("true")
    leftover = folder.path / "result.json.123.0123456789ab.tmp"
    leftover.write_text("{")
    lab.runs.settle(folder, "interrupted", NOW)
    assert not leftover.exists()
    assert known(folder.record()).state == "settled"


def test_a_record_that_was_never_finished_is_swept_away(lab: RunLab) -> None:
    """There is no run to settle then: nothing was started."""
    folder = lab.record("true")
    (folder.path / "run.json").unlink()
    leftover = folder.path / "run.json.123.0123456789ab.tmp"
    others = folder.path / "pid.json.123.0123456789ab.tmp"
    leftover.write_text("{")
    others.write_text("the launcher may be writing it")
    lab.runs.sweep()
    assert (leftover.exists(), others.exists()) == (False, True)
