"""One runner and imports that end when the test says so."""

from __future__ import annotations

import errno
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.messages import (
    ActionFinished,
    ActionInterrupted,
    DescribeRun,
    DesiredAction,
    Outcome,
    OutcomeStatus,
    RunningImport,
)
from hypactors.processes import FileLock, ProviderRuns
from tests.actors.imports import PERFORM
from tests.actors.stage import KEY, RUNNER, Mailbox, Stage

if TYPE_CHECKING:
    from tests.actors.imports import PlayedImports


def test_the_run_is_on_disk_before_anything_is_started(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    stage.tell(RUNNER, PERFORM)
    [folder] = imports.started
    record = folder.record()
    assert record is not None
    assert re.fullmatch("20260625T000000Z-[0-9a-f]{6}", folder.run_id)
    assert (record.provider, record.plugin, record.request_key) == ("claude", KEY, KEY)
    assert (record.attempt, record.reason, record.since) == (3, "confirm-edge", None)
    assert (record.daemon_run_id, record.state) == ("daemon-1", "starting")
    assert record.argv[-3:] == ["backfill", "claude", "--json"]
    assert reconciler.all() == []
    assert stage.events() == [
        {
            "event": "client_action.backfill_spawn",
            "log_level": "info",
            "provider": "claude",
            "hyp_plugin": KEY,
            "run_id": folder.run_id,
            "since": None,
            "pass_id": "pass-1",
        }
    ]


def test_a_window_of_days_begins_that_many_days_ago(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """client-actions E41: 30 days before 2026-06-25, as the run is started."""
    action = DesiredAction(KEY, {"provider": "claude", "plugin": KEY, "windowDays": 30})
    stage.tell(RUNNER, replace(PERFORM, action=action))
    record = imports.started[0].record()
    assert record is not None
    since = "2026-05-26T00:00:00.000Z"
    assert record.argv[-5:] == ["backfill", "claude", "--since", since, "--json"]
    assert (record.since, stage.events()[0]["since"]) == (since, since)
    assert reconciler.all() == []


def test_performing_what_is_under_way_starts_nothing(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    stage.tell(RUNNER, PERFORM, PERFORM, replace(PERFORM, reason="resync"))
    assert len(imports.started) == 1
    assert reconciler.all() == []
    assert stage.busy == [(RUNNER, False), (RUNNER, True)]


def test_an_outcome_is_told_and_the_run_settled_only_when_it_is_recorded(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """Contract §5.3."""
    stage.tell(RUNNER, PERFORM)
    run_id = imports.end().run_id
    finished = reconciler.next(ActionFinished)
    assert finished == ActionFinished(
        RUNNER, "backfill", KEY, Outcome(OutcomeStatus.DONE, rows=7), run_id
    )
    stage.settle(RUNNER)
    assert stage.newest_run() == ("starting", None)
    assert stage.busy[-1] == (RUNNER, True), "a drain waits until it is on disk"
    stage.acknowledge(replace(finished, run_id="another"))
    assert stage.newest_run() == ("starting", None)
    stage.acknowledge(finished)
    assert stage.newest_run() == ("settled", "done")
    assert stage.busy[-1] == (RUNNER, False)


def test_performing_what_has_ended_tells_its_outcome_again(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """The reconciler crashed, and the outcome with its mailbox."""
    stage.tell(RUNNER, PERFORM)
    imports.end()
    finished = reconciler.next(ActionFinished)
    stage.tell(RUNNER, PERFORM)
    assert reconciler.next(ActionFinished) == finished
    assert len(imports.started) == 1


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"exit_code": 1}, "hyp backfill exited with code 1"),
        (
            {"exit_code": 2, "stderr": b"usage: hyp\nhyp: error: no\n"},
            "hyp backfill exited with code 2: hyp: error: no",
        ),
        ({"exit_code": None, "signal": "SIGKILL"}, "hyp backfill was killed by SIGKILL"),
    ],
    ids=["code", "stderr", "signal"],
)
def test_a_bad_end_is_a_failure_with_its_reason(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, end: dict[str, Any], reason: str
) -> None:
    """client-actions E44."""
    stage.tell(RUNNER, PERFORM)
    run_id = imports.end(**end).run_id
    outcome = reconciler.next(ActionFinished).outcome
    said = f"{reason} (after 1 s, run {run_id})"
    assert outcome == Outcome(OutcomeStatus.FAILED, reason=said)


def test_output_that_is_no_json_is_done_without_rows(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """client-actions E43: the exit code is authoritative."""
    stage.tell(RUNNER, PERFORM)
    imports.end(stdout=b"not json")
    assert reconciler.next(ActionFinished).outcome == Outcome(OutcomeStatus.DONE)


def test_more_than_16_mib_of_output_fails_the_run(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """Contract §5."""
    stage.tell(RUNNER, PERFORM)
    run_id = imports.end(stdout=b" " * (16 * 1024 * 1024 + 1)).run_id
    outcome = reconciler.next(ActionFinished).outcome
    assert outcome.status is OutcomeStatus.FAILED
    said = "the import wrote more than 16777216 bytes to stdout"
    assert outcome.reason == f"{said} (after 1 s, run {run_id})"


@pytest.mark.parametrize(("exit_code", "signal"), [(143, None), (None, "SIGTERM")])
def test_an_import_that_was_asked_to_end_is_interrupted(
    stage: Stage,
    imports: PlayedImports,
    reconciler: Mailbox,
    exit_code: int | None,
    signal: str | None,
) -> None:
    """Contract §5.2: no outcome, nothing left to record, and free for the next attempt."""
    stage.tell(RUNNER, PERFORM)
    run_id = imports.end(exit_code, signal=signal).run_id
    assert reconciler.next(ActionInterrupted) == ActionInterrupted(RUNNER, "backfill", KEY, run_id)
    assert stage.newest_run() == ("settled", "interrupted")
    [line] = stage.events("import_interrupted")
    assert (line["run_id"], line["provider"]) == (run_id, "claude")
    stage.clock.advance(30)
    stage.tell(RUNNER, PERFORM)
    assert len(imports.started) == 2


@pytest.mark.parametrize(
    ("stdout", "kind"),
    [
        (b"", ActionInterrupted),
        (b'{"providers": [{"status": "ok"', ActionInterrupted),
        (b'{"providers": [{"status": "ok"}, {"status": "failed"}]}', ActionInterrupted),
        (b'{"providers": [{"status": "ok", "rows_written": 7}]}', ActionFinished),
    ],
)
def test_an_import_without_a_result_is_done_when_it_said_so_and_else_interrupted(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, stdout: bytes, kind: type
) -> None:
    """Contract §5.2: nobody took its exit code, so only its own word counts."""
    stage.tell(RUNNER, PERFORM)
    imports.vanish(stdout=stdout)
    assert isinstance(reconciler.next(object), kind)


def test_a_start_that_the_system_refuses_is_a_failure(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    """client-actions E44: and the lock is free for the next attempt."""
    imports.launch_error = OSError(errno.ENOENT, "No such file or directory", "/python")
    stage.tell(RUNNER, PERFORM)
    finished = reconciler.next(ActionFinished)
    assert finished.outcome.status is OutcomeStatus.FAILED
    assert (finished.outcome.reason or "").startswith("hyp backfill spawn failed: ")
    stage.acknowledge(finished)
    assert stage.newest_run() == ("settled", "failed")
    imports.launch_error = None
    stage.clock.advance(30)
    stage.tell(RUNNER, PERFORM)
    assert len(imports.started) == 1


def full(*_args: object, **_options: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_without_room_for_the_run_is_a_failure_and_no_crash(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given again at each restart, it would make the supervisor give up and end the daemon."""
    monkeypatch.setattr(ProviderRuns, "new_run", full)
    stage.tell(RUNNER, PERFORM)
    finished = reconciler.next(ActionFinished)
    assert finished.outcome.status is OutcomeStatus.FAILED
    assert finished.run_id.startswith("unrecorded-")
    assert "No space left on device" in (finished.outcome.reason or "")
    assert imports.started == []
    assert stage.busy[-1] == (RUNNER, False)
    monkeypatch.undo()
    lock = FileLock.try_take(stage.home.import_lock("claude"))
    assert lock is not None
    lock.close()


@pytest.mark.parametrize("exit_code", [0, 143], ids=["recorded", "interrupted"])
def test_a_disk_without_room_to_settle_the_run_is_no_crash(
    stage: Stage,
    imports: PlayedImports,
    reconciler: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    exit_code: int,
) -> None:
    """Each next life finds the same run: the supervisor would give up and end the daemon."""
    monkeypatch.setattr(ProviderRuns, "settle", full)
    stage.tell(RUNNER, PERFORM)
    run_id = imports.end(exit_code).run_id
    stage.settle(RUNNER)
    if exit_code == 0:
        stage.acknowledge(reconciler.next(ActionFinished))
    else:
        assert reconciler.next(ActionInterrupted).run_id == run_id


def test_it_describes_the_import_that_runs(
    stage: Stage, imports: PlayedImports, reconciler: Mailbox
) -> None:
    assert stage.ask(RUNNER, DescribeRun()) is None
    stage.tell(RUNNER, PERFORM)
    assert stage.ask(RUNNER, DescribeRun()) == RunningImport(
        provider="claude",
        request_key=KEY,
        run_id=imports.started[0].run_id,
        pid=None,
        started_at="2026-06-25T00:00:00.000Z",
    )
    imports.end()
    reconciler.next(ActionFinished)
    assert stage.ask(RUNNER, DescribeRun()) is None


def test_ten_runs_are_kept(stage: Stage, imports: PlayedImports, reconciler: Mailbox) -> None:
    """Contract §5."""
    for _ in range(12):
        stage.clock.advance(1)
        stage.tell(RUNNER, PERFORM)
        imports.end()
        stage.acknowledge(reconciler.next(ActionFinished))
    assert [run.run_id for run in stage.runs().runs()] == [
        folder.run_id for folder in reversed(imports.started[2:])
    ]
