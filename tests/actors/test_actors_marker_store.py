"""The marker store alone: what it has acknowledged is on disk, whatever happens in between."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.actions import save_markers
from hypactors.actors import _marker_store
from hypactors.actors._marker_store import SAVE_AGAIN_S
from hypactors.actors._names import MARKER_STORE, RECONCILER
from hypactors.messages import (
    ForgetMarker,
    MarkersRead,
    MarkerStoreReady,
    Outcome,
    OutcomeRecorded,
    OutcomeStatus,
    ReadMarkers,
    RearmMarker,
    RecordOutcome,
)
from tests.actors.stage import KEY, RETRY, RUNNER, Mailbox, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.actions import MarkerBook
    from hypactors.paths import HypHome

DONE = Outcome(OutcomeStatus.DONE, rows=7)
FAILED = Outcome(OutcomeStatus.FAILED, reason="no luck")


def record(outcome: Outcome = DONE, run_id: str | None = "run-1", **options: Any) -> RecordOutcome:
    return RecordOutcome("backfill", KEY, outcome, run_id=run_id, **options)


@pytest.fixture
def reconciler(stage: Stage) -> Mailbox:
    """Stand in for the reconciler, with the store's greeting taken."""
    mailbox = stage.stand_in(RECONCILER)
    stage.start_marker_store()
    mailbox.next(MarkerStoreReady)
    return mailbox


class Disk:
    """The disk under the marker file: full until it is :attr:`has_space` again."""

    def __init__(self, save: Callable[[HypHome, MarkerBook], None]) -> None:
        self._save = save
        self.has_space = False
        self.writes = 0

    def save(self, home: HypHome, book: MarkerBook) -> None:
        self.writes += 1
        if not self.has_space:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._save(home, book)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(save_markers)
    monkeypatch.setattr(_marker_store, "save_markers", disk.save)
    return disk


def test_an_outcome_is_on_disk_before_it_is_acknowledged(stage: Stage, reconciler: Mailbox) -> None:
    """Contract §5.3; read by both who are told, in the moment they are told."""
    runner = stage.stand_in(RUNNER)
    found: list[object] = []
    for mailbox in (reconciler, runner):
        mailbox.on_tell = lambda _message: found.append(stage.marker()["rows"])
    message = record(runner=RUNNER)
    stage.tell(MARKER_STORE, message)
    assert reconciler.next(OutcomeRecorded) == OutcomeRecorded(message)
    assert runner.next(OutcomeRecorded) == OutcomeRecorded(message)
    assert found == [7, 7]


def test_an_outcome_of_no_runner_is_acknowledged_to_the_reconciler_alone(
    stage: Stage, reconciler: Mailbox
) -> None:
    runner = stage.stand_in(RUNNER)
    stage.tell(MARKER_STORE, record(run_id=None))
    reconciler.next(OutcomeRecorded)
    assert runner.all() == []


def test_a_replayed_outcome_changes_nothing_and_is_acknowledged_again(
    stage: Stage, reconciler: Mailbox
) -> None:
    """Contract §5.3: an attempt is never counted twice, in one life or over two."""
    stage.tell(MARKER_STORE, record(FAILED))
    assert reconciler.next(OutcomeRecorded) == OutcomeRecorded(record(FAILED), 1, 30.0)
    before = stage.home.marker_file.stat()
    content = stage.home.marker_file.read_bytes()

    stage.clock.advance(10)
    stage.tell(MARKER_STORE, record(FAILED))
    assert reconciler.next(OutcomeRecorded) == OutcomeRecorded(record(FAILED), 1, 20.0)
    stage.clock.advance(60)
    stage.crash(MARKER_STORE)
    stage.start_marker_store()
    reconciler.next(MarkerStoreReady)
    stage.tell(MARKER_STORE, record(FAILED))
    assert reconciler.next(OutcomeRecorded) == OutcomeRecorded(record(FAILED), 1, 0.0)

    assert stage.home.marker_file.read_bytes() == content
    assert stage.home.marker_file.stat().st_ino == before.st_ino, "not even written anew"


def test_a_failure_says_when_it_is_tried_again_and_the_wait_doubles(
    stage: Stage, reconciler: Mailbox
) -> None:
    """Contract §1: from 30 s up to an hour, as the settings of this stage have it."""
    waits = []
    for attempt in range(1, 10):
        stage.tell(MARKER_STORE, record(FAILED, run_id=f"run-{attempt}"))
        recorded = reconciler.next(OutcomeRecorded)
        assert recorded.attempts == attempt
        waits.append(recorded.retry_in_s)
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert stage.marker()["attempts"] == 9
    assert stage.marker()["next_attempt_at"] == "2026-06-25T01:00:00.000Z"


def test_only_a_failure_is_tried_again(stage: Stage, reconciler: Mailbox) -> None:
    for outcome in (DONE, Outcome(OutcomeStatus.REFUSED, reason="ask a person")):
        stage.tell(MARKER_STORE, record(outcome, run_id=outcome.status))
        assert reconciler.next(OutcomeRecorded).retry_in_s is None
        assert "next_attempt_at" not in stage.marker()


def test_a_write_that_failed_is_not_acknowledged_and_is_done_again(
    stage: Stage, reconciler: Mailbox, disk: Disk
) -> None:
    message = record()
    stage.tell(MARKER_STORE, message)
    stage.tell(MARKER_STORE, ReadMarkers(1))
    assert reconciler.next(MarkersRead).markers.get("backfill", KEY) is None, "nor served"
    stage.timers.advance(SAVE_AGAIN_S)
    stage.settle(MARKER_STORE)
    assert reconciler.all() == []

    disk.has_space = True
    stage.timers.advance(SAVE_AGAIN_S - 0.1)
    stage.settle(MARKER_STORE)
    assert reconciler.all() == []
    stage.timers.advance(0.1)
    assert reconciler.next(OutcomeRecorded) == OutcomeRecorded(message)
    assert stage.marker()["rows"] == 7
    assert disk.writes == 3
    [first, second] = stage.events("marker_write_failed")
    assert first == second
    assert first == {
        "event": "marker_write_failed",
        "log_level": "error",
        "path": str(stage.home.marker_file),
        "detail": "[Errno 28] No space left on device",
    }


def test_what_came_after_a_failed_write_is_kept_when_it_is_done_again(
    stage: Stage, reconciler: Mailbox, disk: Disk
) -> None:
    stage.tell(MARKER_STORE, record())
    disk.has_space = True
    stage.tell(MARKER_STORE, RecordOutcome("fake", "other", DONE))
    stage.timers.advance(SAVE_AGAIN_S)
    stage.settle(MARKER_STORE)
    assert [reconciler.next(OutcomeRecorded).recorded.kind for _ in range(2)] == [
        "fake",
        "backfill",
    ]
    assert stage.markers().keys() == {"fake", "backfill"}


def test_a_marker_that_could_not_be_forgotten_is_forgotten_later(
    stage: Stage, reconciler: Mailbox, disk: Disk
) -> None:
    disk.has_space = True
    stage.tell(MARKER_STORE, record())
    reconciler.next(OutcomeRecorded)
    disk.has_space = False
    stage.tell(MARKER_STORE, ForgetMarker("backfill", KEY))
    assert stage.markers() != {}
    disk.has_space = True
    stage.timers.advance(SAVE_AGAIN_S)
    stage.settle(MARKER_STORE)
    assert stage.markers() == {}
    assert reconciler.all() == [], "forgetting is silent"


@pytest.mark.parametrize("garbage", ["not json", "[]", '{"backfill":"x"}', "", "\udc80"])
def test_a_garbage_file_is_set_aside_logged_and_read_as_empty(stage: Stage, garbage: str) -> None:
    """client-actions A6, in the daemon: the evidence stays, the next pass derives the gap."""
    raw = garbage.encode(errors="surrogateescape")
    stage.home.control_dir.mkdir(parents=True)
    stage.home.marker_file.write_bytes(raw)
    reconciler = stage.stand_in(RECONCILER)
    stage.start_marker_store()
    reconciler.next(MarkerStoreReady)
    [aside] = stage.home.control_dir.glob("client-actions.json.corrupt-*")
    assert aside.read_bytes() == raw
    [line] = stage.events()
    assert (line["event"], line["log_level"]) == ("marker_file_set_aside", "warning")
    assert (line["path"], line["kept_as"]) == (str(stage.home.marker_file), str(aside))
    assert len(line["problems"]) == 1
    assert stage.home.marker_file.read_bytes() == b"{}\n"

    stage.tell(MARKER_STORE, record())
    assert stage.marker()["status"] == "done"


def test_a_garbage_file_on_a_full_disk_is_no_crash(stage: Stage, disk: Disk) -> None:
    """Each restart would set it aside once more, until the supervisor gives up."""
    stage.mark("not json")
    stage.start_marker_store()
    stage.tell(MARKER_STORE, record())
    assert stage.home.marker_file.read_text() == "not json"
    disk.has_space = True
    stage.timers.advance(SAVE_AGAIN_S)
    stage.settle(MARKER_STORE)
    assert stage.marker()["status"] == "done"
    assert len(list(stage.home.control_dir.glob("*.corrupt-*"))) == 1


def test_good_entries_of_a_damaged_file_are_kept(stage: Stage) -> None:
    stage.mark(json.dumps({"attach": 3, "backfill": {KEY: {"status": "done"}, "other": None}}))
    stage.start_marker_store()
    assert stage.markers() == {"backfill": {KEY: {"status": "done"}}}
    assert len(list(stage.home.control_dir.glob("*.corrupt-*"))) == 1


def test_a_file_without_a_flaw_is_not_touched_by_a_start(stage: Stage) -> None:
    """client-actions A12, for a whole life of the store: nothing to change, nothing written."""
    stage.mark(f'{{ "backfill": {{"{KEY}": {{"status":"done"}}}} }}')
    before = stage.home.marker_file.stat()
    stage.start_marker_store()
    stage.tell(MARKER_STORE, ForgetMarker("backfill", "never heard of"))
    after = stage.home.marker_file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_kind_that_nobody_here_knows_is_kept_byte_for_byte(
    stage: Stage, reconciler: Mailbox
) -> None:
    """Contract §1: what the other client recorded is safe with us."""
    foreign = '{"claude":{"status":"done",  "port":5.0e3,"\\u00e9":[ ] , "at":"x"}}'
    stage.crash(MARKER_STORE)
    stage.mark(f'{{"attach":{foreign}}}')
    stage.start_marker_store()
    stage.tell(MARKER_STORE, record())
    assert foreign.encode() in stage.home.marker_file.read_bytes()
    assert stage.marker()["status"] == "done"
    reconciler.all()


def test_each_life_says_that_it_is_there_and_serves_what_an_earlier_one_wrote(
    stage: Stage, reconciler: Mailbox
) -> None:
    stage.tell(MARKER_STORE, record())
    reconciler.next(OutcomeRecorded)
    stage.crash(MARKER_STORE)
    stage.start_marker_store()
    reconciler.next(MarkerStoreReady)
    stage.tell(MARKER_STORE, ReadMarkers(4))
    read = reconciler.next(MarkersRead)
    marker = read.markers.get("backfill", KEY)
    assert read.planning == 4
    assert marker is not None
    assert (marker.rows, marker.run_id) == (7, "run-1")


def test_undoing_forgets_the_marker_when_it_is_done_and_keeps_it_when_not(
    stage: Stage, reconciler: Mailbox
) -> None:
    """client-actions B13, B14: the stored status stays as it was until the effect is gone."""
    stage.tell(MARKER_STORE, record())
    reconciler.next(OutcomeRecorded)
    stage.tell(MARKER_STORE, record(FAILED, undone=True))
    assert reconciler.next(OutcomeRecorded) == OutcomeRecorded(record(FAILED, undone=True))
    assert stage.marker()["status"] == "done"
    stage.tell(MARKER_STORE, record(undone=True))
    assert reconciler.next(OutcomeRecorded) == OutcomeRecorded(record(undone=True))
    assert stage.markers() == {}


def test_what_is_hopeless_soon_waits_as_long_as_anything_does(
    stage: Stage, reconciler: Mailbox
) -> None:
    """Contract §5.6: a full disk gets the slowest retry."""
    hopeless = Outcome(OutcomeStatus.FAILED, reason="disk full", is_hopeless_soon=True)
    stage.tell(MARKER_STORE, record(hopeless))
    assert reconciler.next(OutcomeRecorded).retry_in_s == RETRY.max_s


def test_a_refusal_can_be_armed_again(stage: Stage, reconciler: Mailbox) -> None:
    stage.tell(MARKER_STORE, record(Outcome(OutcomeStatus.REFUSED, reason="no")))
    reconciler.next(OutcomeRecorded)
    stage.tell(MARKER_STORE, RearmMarker("backfill", KEY), RearmMarker("backfill", "nobody"))
    assert "backfill" not in json.loads(stage.home.marker_file.read_bytes())


def test_what_a_killed_write_has_left_is_swept_away(stage: Stage) -> None:
    stage.home.control_dir.mkdir(parents=True)
    leftover = stage.home.marker_file.with_name("client-actions.json.123.0123456789ab.tmp")
    leftover.write_text("{")
    stage.start_marker_store()
    assert not leftover.exists()
