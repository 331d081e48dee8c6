"""Any life of a marker file: outcomes, wishes, restarts and damage in any order."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hypactors.actions import read_markers, save_markers, set_aside
from hypactors.clock import ManualClock
from hypactors.messages import Outcome, OutcomeStatus
from hypactors.paths import HypHome
from tests.actions.fakes import FakeFreshnessHandler, PassDriver

FOREIGN = b'{"claude": {"status":"done", "n": 1.50, "s": "\\u00e9"}, "x" : {}}'
KEYS = st.sampled_from(["a", "b"])
ASSETS = st.lists(st.sampled_from(["/1", "/2", "/3"]), max_size=2, unique=True)


class Expected:
    """What must be true of one unit's marker, told by the rules and not by the code."""

    def __init__(self) -> None:
        self.status = ""
        self.assets: set[str] = set()
        self.attempts = 0
        self.was_done = False

    def performed(self, status: str, assets: list[str]) -> None:
        if self.status == "done":
            self.was_done = True
        if status == "done":
            self.was_done = False
        self.attempts = self.attempts + 1 if status == "failed" else 0
        self.assets |= set(assets)
        self.status = status

    def is_undone(self) -> bool:
        return self.status == "done" or bool(self.assets) or self.was_done


class MarkerFileMachine(RuleBasedStateMachine):
    """The disk is all that survives a step: every pass begins with reading it, as after a restart.

    Undo records, attempts and the done bit must be right after any history, and what the other
    client wrote must be there byte for byte.
    """

    @initialize()
    def begin(self) -> None:
        # removed by teardown, which Hypothesis calls after every run
        self.folder = tempfile.TemporaryDirectory(prefix="hypactors-markers-")
        self.home = HypHome(Path(self.folder.name))
        self.driver = PassDriver(self.home, ManualClock())
        self.handler = FakeFreshnessHandler(kind="fake", wanted=())
        self.expected: dict[str, Expected] = {}
        self.home.control_dir.mkdir(parents=True)
        self.home.marker_file.write_bytes(b'{"attach": ' + FOREIGN + b"}")

    @rule(key=KEYS, status=st.sampled_from(OutcomeStatus), assets=ASSETS, is_stale=st.booleans())
    def perform(
        self, key: str, status: OutcomeStatus, assets: list[str], *, is_stale: bool
    ) -> None:
        self.handler.wanted = sorted({*self.expected, key})
        self.handler.freshness = not is_stale
        # A failure that reports no list of its own keeps the record.
        detail: dict[str, Any] = {}
        if status is not OutcomeStatus.FAILED:
            detail = {"installed_assets": assets}
        self.handler.outcomes.extend(Outcome(status, detail=detail) for _ in self.handler.wanted)
        self.handler.performed.clear()
        self.driver.run(self.handler)
        for each in self.handler.performed:
            reported = [] if status is OutcomeStatus.FAILED else assets
            self.expected.setdefault(each, Expected()).performed(status, reported)
        self.handler.outcomes.clear()

    @rule(key=KEYS, works=st.booleans())
    def stop_wanting(self, key: str, *, works: bool) -> None:
        self.handler.wanted = sorted(self.expected.keys() - {key})
        self.handler.freshness = True
        self.handler.outcomes.extend(RuntimeError("not now") for _ in self.handler.wanted)
        if not works:
            self.handler.undo_outcomes.append(RuntimeError("locked"))
        self.handler.performed.clear()
        self.handler.reversed.clear()
        self.driver.run(self.handler)
        self.handler.outcomes.clear()
        self.handler.undo_outcomes.clear()
        for each in self.handler.performed:
            self.expected[each].performed("failed", [])
        expected = self.expected.get(key)
        if expected is None:
            return
        assert [each for each, _ in self.handler.reversed] == [key] * expected.is_undone()
        if works or not expected.is_undone():
            del self.expected[key]

    @rule(garbage=st.sampled_from([b"", b"{", b"[]", b"\xff", b"null"]))
    def damage(self, garbage: bytes) -> None:
        intact = self.home.marker_file.read_bytes()
        self.home.marker_file.write_bytes(garbage)
        loaded = read_markers(self.home)
        assert loaded.problems
        aside = set_aside(self.home, self.driver.clock.now())
        save_markers(self.home, loaded.book)
        assert aside is not None
        assert aside.read_bytes() == garbage
        self.home.marker_file.write_bytes(intact)  # a person restores it

    @rule()
    def lose_the_bad_half(self) -> None:
        text = self.home.marker_file.read_bytes()
        self.home.marker_file.write_bytes(text.replace(b"{", b'{"broken": "x", ', 1))
        loaded = read_markers(self.home)
        assert len(loaded.problems) == 1
        save_markers(self.home, loaded.book)

    @invariant()
    def markers_are_as_expected(self) -> None:
        loaded = read_markers(self.home)
        assert loaded.problems == ()
        markers = loaded.book.bucket("fake")
        assert markers.keys() == self.expected.keys()
        for key, expected in self.expected.items():
            marker = markers[key]
            assert marker.status == expected.status
            assert set(marker.installed_assets) == expected.assets
            assert (marker.attempts or 0) == expected.attempts
            assert marker.prior_done is expected.was_done
            assert not (marker.is_done and marker.prior_done)

    @invariant()
    def what_the_other_client_wrote_is_untouched(self) -> None:
        assert b'"attach": ' + FOREIGN in self.home.marker_file.read_bytes()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestMarkerFile = MarkerFileMachine.TestCase
TestMarkerFile.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
