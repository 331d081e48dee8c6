"""Whole passes over a real file: what is performed, undone, remembered and left alone."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from hypactors.actions import ActionRefused, MarkerBook, read_markers, save_markers
from hypactors.actions._markers import Marker
from hypactors.messages import Outcome, OutcomeStatus
from tests.actions.fakes import (
    FakeFreshnessHandler,
    FakeHandler,
    FakeReversibleHandler,
    PassDriver,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypactors.clock import ManualClock
    from hypactors.paths import HypHome
    from tests.actions.fakes import PassResult

NOW = "2026-06-25T00:00:00.000Z"
DONE = Outcome(OutcomeStatus.DONE)
REFUSED = Outcome(OutcomeStatus.REFUSED, reason="not ours")
ASSETS = ["/home/u/.claude/skills/a", "/home/u/.claude/skills/b"]


def failed(reason: str = "X", **detail: Any) -> Outcome:
    return Outcome(OutcomeStatus.FAILED, reason=reason, detail=detail)


def outcomes(results: Sequence[PassResult]) -> list[str]:
    return [result.outcome for result in results]


def marker(driver: PassDriver, key: str = "unit") -> dict[str, Any] | None:
    return driver.book().as_mapping().get("fake", {}).get(key)


# The forward gap


def test_a_done_unit_is_performed_once(driver: PassDriver) -> None:
    """client-actions A1."""
    handler = FakeHandler()
    assert outcomes(driver.run(handler)) == ["done"]
    assert outcomes(driver.run(handler)) == ["skipped"]
    assert handler.performed == ["unit"]


def test_a_unit_wanted_later_is_performed_then(driver: PassDriver) -> None:
    """client-actions A2."""
    handler = FakeHandler(wanted=())
    assert driver.run(handler) == []
    handler.wanted = ["unit"]
    assert outcomes(driver.run(handler)) == ["done"]


def test_a_failed_unit_is_retried_until_it_is_done(driver: PassDriver) -> None:
    """client-actions A3."""
    handler = FakeHandler()
    handler.outcomes.extend([failed(), failed(), Outcome(OutcomeStatus.DONE, rows=12)])
    driver.run(handler)
    assert marker(driver) == {
        "status": "failed",
        "request_key": "unit",
        "reason": "X",
        "last_attempt": NOW,
        "attempts": 1,
    }
    (second,) = driver.run(handler)
    assert (second.outcome, second.attempts) == ("failed", 2)
    driver.run(handler)
    assert marker(driver) == {"status": "done", "request_key": "unit", "at": NOW, "rows": 12}
    assert outcomes(driver.run(handler)) == ["skipped"]
    assert len(handler.performed) == 3


def test_a_raising_perform_fails_its_unit_and_no_other(driver: PassDriver) -> None:
    """client-actions A4."""
    handler = FakeHandler(wanted=["first", "second"])
    handler.outcomes.append(RuntimeError("spawn ENOENT"))
    assert outcomes(driver.run(handler)) == ["failed", "done"]
    first = marker(driver, "first")
    assert first is not None
    assert (first["status"], first["reason"]) == ("failed", "spawn ENOENT")


def test_a_raising_desired_stops_its_own_handler_only(driver: PassDriver) -> None:
    """client-actions A5."""
    broken, sound = FakeHandler("broken"), FakeHandler("sound")
    broken.desired_error = RuntimeError("no idea")
    assert [result.kind for result in driver.run(broken, sound)] == ["sound"]
    assert driver.failed_handlers == ["broken"]


def test_a_raising_desired_undoes_nothing(driver: PassDriver) -> None:
    """client-actions §2: its own markers are neither performed again nor reversed."""
    handler = FakeReversibleHandler()
    driver.run(handler)
    handler.desired_error = RuntimeError("no idea")
    before = driver.book()
    assert driver.run(handler) == []
    assert handler.reversed == []
    assert driver.book() == before


def test_a_file_that_is_not_json_is_replaced_by_a_valid_one(
    driver: PassDriver, home: HypHome
) -> None:
    """client-actions A6."""
    home.control_dir.mkdir(parents=True)
    home.marker_file.write_text("{nonsense")
    assert outcomes(driver.run(FakeHandler())) == ["done"]
    assert json.loads(home.marker_file.read_bytes())["fake"]["unit"]["status"] == "done"


def test_the_file_is_private_and_ends_with_a_newline(driver: PassDriver, home: HypHome) -> None:
    """client-actions A7."""
    driver.run(FakeHandler())
    assert home.marker_file.read_bytes().endswith(b"}\n")
    assert stat.S_IMODE(home.marker_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.control_dir.stat().st_mode) == 0o700
    assert [path.name for path in home.control_dir.iterdir()] == ["client-actions.json"]


def test_memory_and_file_agree_before_and_after(driver: PassDriver, home: HypHome) -> None:
    """client-actions A8: the store's reader and the status reader are one."""
    assert MarkerBook().as_mapping() == read_markers(home).book.as_mapping() == {}
    driver.run(FakeHandler(wanted=["a", "b"]))
    on_disk = json.loads(home.marker_file.read_bytes())
    assert on_disk == read_markers(home).book.as_mapping()
    assert list(on_disk["fake"]) == ["a", "b"]


def test_a_stale_unit_is_performed_again(driver: PassDriver) -> None:
    """client-actions A9."""
    handler = FakeFreshnessHandler()
    driver.run(handler)
    handler.freshness = False
    assert outcomes(driver.run(handler)) == ["done"]
    assert len(handler.performed) == 2


@pytest.mark.parametrize("freshness", [RuntimeError("broken"), None])
def test_a_broken_freshness_check_counts_as_current(
    driver: PassDriver, freshness: Exception | None
) -> None:
    """client-actions A10: only an explicit false is stale."""
    handler = FakeFreshnessHandler()
    driver.run(handler)
    handler.freshness = freshness
    assert outcomes(driver.run(handler)) == ["skipped"]


def test_performing_without_an_outcome_is_a_failure(driver: PassDriver) -> None:
    """client-actions A11."""
    handler = FakeHandler()
    handler.outcomes.append(None)
    (result,) = driver.run(handler)
    assert (result.outcome, result.reason) == ("failed", "handler returned no outcome")


def test_a_pass_that_only_skips_leaves_the_file_untouched(
    driver: PassDriver, home: HypHome
) -> None:
    """client-actions A12."""
    handler = FakeHandler()
    driver.run(handler)
    before = home.marker_file.stat()
    assert outcomes(driver.run(handler)) == ["skipped"]
    after = home.marker_file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


# The reverse gap


def test_a_done_unit_no_longer_wanted_is_reversed_once(driver: PassDriver) -> None:
    """client-actions B13."""
    handler = FakeReversibleHandler()
    driver.run(handler)
    handler.wanted = []
    assert outcomes(driver.run(handler)) == ["reversed"]
    assert marker(driver) is None
    assert driver.run(handler) == []
    assert len(handler.reversed) == 1


@pytest.mark.parametrize("undo", [failed("locked"), REFUSED, RuntimeError("locked"), None])
def test_a_failed_reverse_keeps_the_marker_and_is_retried(
    driver: PassDriver, undo: Outcome | Exception | None
) -> None:
    """client-actions B14: a refusal that comes back from reverse is a failure too."""
    handler = FakeReversibleHandler()
    driver.run(handler)
    handler.wanted = []
    handler.undo_outcomes.append(undo)
    before = marker(driver)
    assert outcomes(driver.run(handler)) == ["failed"]
    assert marker(driver) == before
    assert outcomes(driver.run(handler)) == ["reversed"]


def test_a_failure_without_an_effect_is_forgotten(driver: PassDriver) -> None:
    """client-actions B15."""
    handler = FakeReversibleHandler()
    handler.outcomes.append(failed())
    driver.run(handler)
    handler.wanted = []
    assert driver.run(handler) == []
    assert handler.reversed == []
    assert marker(driver) is None


def test_a_failure_with_assets_is_reversed(driver: PassDriver) -> None:
    """client-actions B16."""
    handler = FakeReversibleHandler()
    handler.outcomes.append(failed(installed_assets=ASSETS))
    driver.run(handler)
    handler.wanted = []
    assert outcomes(driver.run(handler)) == ["reversed"]
    ((key, undone),) = handler.reversed
    assert (key, undone.installed_assets) == ("unit", tuple(ASSETS))


def test_a_run_once_unit_is_never_undone(driver: PassDriver) -> None:
    """client-actions B17."""
    handler = FakeHandler()
    driver.run(handler)
    handler.wanted = []
    before = marker(driver)
    assert driver.run(handler) == []
    assert marker(driver) == before


def test_an_empty_marker_is_forgotten(driver: PassDriver, home: HypHome) -> None:
    handler = FakeReversibleHandler(wanted=())
    save_markers(home, MarkerBook().with_marker("fake", "unit", Marker({})))
    assert driver.run(handler) == []
    assert handler.reversed == []
    assert marker(driver) is None


# Refusals


def test_a_refusal_is_recorded_without_attempts(driver: PassDriver) -> None:
    """client-actions C18."""
    handler = FakeHandler()
    handler.outcomes.append(REFUSED)
    assert outcomes(driver.run(handler)) == ["refused"]
    assert marker(driver) == {
        "status": "refused",
        "request_key": "unit",
        "reason": "not ours",
        "at": NOW,
    }


def test_a_refused_unit_is_never_tried_again_by_itself(driver: PassDriver) -> None:
    """client-actions C19."""
    handler = FakeFreshnessHandler()
    handler.outcomes.append(REFUSED)
    driver.run(handler)
    handler.freshness = False
    assert outcomes(driver.run(handler)) == ["skipped"]
    assert len(handler.performed) == 1


def test_a_refusal_keeps_the_assets_of_what_it_replaces(driver: PassDriver) -> None:
    """client-actions C20."""
    handler = FakeFreshnessHandler()
    handler.outcomes.append(Outcome(OutcomeStatus.DONE, detail={"installed_assets": ASSETS}))
    driver.run(handler)
    handler.freshness = False
    handler.outcomes.append(REFUSED)
    driver.run(handler)
    refused = marker(driver)
    assert refused is not None
    assert refused["installed_assets"] == ASSETS


@pytest.mark.parametrize("assets", [[], ASSETS])
def test_a_refusal_is_undone_only_when_it_left_assets(
    driver: PassDriver, assets: list[str]
) -> None:
    """client-actions C21."""
    handler = FakeReversibleHandler()
    detail = {"installed_assets": assets}
    handler.outcomes.append(Outcome(OutcomeStatus.REFUSED, reason="no", detail=detail))
    driver.run(handler)
    handler.wanted = []
    assert outcomes(driver.run(handler)) == (["reversed"] if assets else [])
    assert marker(driver) is None


def test_a_refusal_after_done_is_still_undone(driver: PassDriver) -> None:
    """client-actions C22."""
    handler = FakeFreshnessHandler()
    driver.run(handler)
    handler.freshness = False
    handler.outcomes.append(ActionRefused("not ours"))
    assert outcomes(driver.run(handler)) == ["refused"]
    refused = marker(driver)
    assert refused is not None
    assert refused["prior_done"] is True
    handler.wanted = []
    assert outcomes(driver.run(handler)) == ["reversed"]


def test_having_been_done_is_remembered_through_failures(
    driver: PassDriver, clock: ManualClock
) -> None:
    """client-actions C23."""
    handler = FakeFreshnessHandler(wanted=["was done", "never was"])
    handler.outcomes.extend([DONE, failed()])
    driver.run(handler)
    handler.freshness = False
    for _ in range(2):
        clock.advance(60)
        # A handler cannot talk the bit away, or into being.
        handler.outcomes.extend([failed(prior_done=False), failed(prior_done=True)])
        driver.run(handler)
    was_done, never_was = marker(driver, "was done"), marker(driver, "never was")
    assert was_done is not None
    assert never_was is not None
    assert (was_done["attempts"], was_done["prior_done"]) == (2, True)
    assert (never_was["attempts"], never_was.get("prior_done")) == (3, None)
    handler.wanted = []
    assert outcomes(driver.run(handler)) == ["reversed"]
    assert driver.book().buckets == {}
    assert [key for key, _ in handler.reversed] == ["was done"]
