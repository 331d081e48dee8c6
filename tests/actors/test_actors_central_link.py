"""The link to the central server: when it polls, and what it says of what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hypactors.actors._names import CENTRAL_LINK, CONFIG_CONTROL
from hypactors.central import Failure, PollFailure, Served, Step, Unchanged
from hypactors.config import StageResult, resolve_layers, running_etag
from hypactors.messages import (
    ConfigChanged,
    ConfigStaged,
    ConfigWanted,
    DescribeLink,
    LinkState,
    PollFailed,
    PollSucceeded,
    StageConfig,
)
from tests.actors.polls import INTERVAL_S, URL, PlayedPoller, central, plant_central_seed
from tests.actors.served import entry

if TYPE_CHECKING:
    from tests.actors.stage import Mailbox, Stage

DOCUMENT = central(entry(window_days=1))
BROKEN = PollFailure(Failure.ERROR, "no answer")


@pytest.fixture
def control(stage: Stage) -> Mailbox:
    """Stand in for config control on a machine that has just joined."""
    plant_central_seed(stage.home)
    return stage.stand_in(CONFIG_CONTROL)


@pytest.fixture
def poller(stage: Stage, control: Mailbox) -> PlayedPoller:
    """Start a link that has taken up the seed and polls for the first time."""
    poller = PlayedPoller(stage)
    stage.start_central_link(poller)
    assert control.all() == [ConfigWanted(CENTRAL_LINK)]
    stage.tell(CENTRAL_LINK, changed(stage))
    return poller


def changed(stage: Stage, revision: int = 1) -> ConfigChanged:
    return ConfigChanged(resolve_layers(stage.home, {}), is_confirmed=True, revision=revision)


def described(stage: Stage) -> LinkState:
    state = stage.ask(CENTRAL_LINK, DescribeLink())
    assert isinstance(state, LinkState)
    return state


def test_it_polls_at_once_and_stages_what_is_served(
    stage: Stage, control: Mailbox, poller: PlayedPoller
) -> None:
    """central 8 and 17: a poll confirms, then stages; the next one comes after the interval."""
    assert poller.asked == [(URL, None)]
    poller.end(Served(DOCUMENT, '"one"'), acquired=Step.BOOTSTRAP)
    assert control.all() == [PollSucceeded(1), StageConfig(DOCUMENT, '"one"')]
    assert stage.timers.pending_delays() == [INTERVAL_S]
    [line] = stage.events("central.identity.acquired")
    assert (line["source"], line["gateway_id"]) == ("bootstrapped", "gw-1")

    stage.tell(CENTRAL_LINK, ConfigStaged(StageResult(None, "config_invalid"), '"one"'))
    [line] = stage.events("central.config.poll")
    assert (line["config_etag"], line["apply_action"]) == ('"one"', "config_invalid")
    assert stage.timers.pending_delays() == [INTERVAL_S], "central 17: it was a good poll"


def test_polls_go_on_for_ever(stage: Stage, control: Mailbox, poller: PlayedPoller) -> None:
    """central 9 and 15."""
    for _ in range(3):
        poller.end(Unchanged(None))
        assert control.all() == [PollSucceeded(1)]
        stage.pass_time(INTERVAL_S)
    assert len(poller.asked) == 4
    assert len(stage.events("central.config.poll")) == 3


def test_one_poll_at_a_time(stage: Stage, poller: PlayedPoller) -> None:
    stage.pass_time(10 * INTERVAL_S)
    assert len(poller.asked) == 1
    assert stage.timers.pending_delays() == []


def test_failures_wait_longer_each_time(
    stage: Stage, control: Mailbox, poller: PlayedPoller
) -> None:
    """central 15 and 17: 30, 60, 120, 300, 300; one success and it starts again."""
    waits = []
    for failures in range(1, 6):
        poller.end(BROKEN)
        [delay_s] = stage.timers.pending_delays()
        waits.append(delay_s)
        assert described(stage).failures == failures
        stage.pass_time(delay_s)
    assert waits == [30, 60, 120, 300, 300]
    assert control.all() == [PollFailed()] * 5
    lines = stage.events("central.config.poll_failed")
    assert [line["consecutive_failures"] for line in lines] == [1, 2, 3, 4, 5]
    assert {line["error_kind"] for line in lines} == {"config_poll_error"}

    poller.end(Unchanged(None))
    stage.pass_time(INTERVAL_S)
    poller.end(BROKEN)
    assert stage.timers.pending_delays() == [30]


def test_a_machine_without_a_config_of_its_own_is_said_once(
    stage: Stage, control: Mailbox, poller: PlayedPoller
) -> None:
    """central 13."""
    for _ in range(3):
        poller.end(PollFailure(Failure.NOT_REGISTERED, "none", 404))
        assert stage.timers.pending_delays() == [300]
        stage.pass_time(300)
    assert control.all() == [PollFailed()] * 3
    assert len(stage.events("central.config.poll_failed")) == 1


def test_a_busy_server_is_left_alone_as_long_as_it_asks(stage: Stage, poller: PlayedPoller) -> None:
    """central 14: logged with what it asked for."""
    poller.end(PollFailure(Failure.THROTTLED, "busy", 429, retry_after_s=7))
    assert stage.timers.pending_delays() == [7]
    [line] = stage.events("central.config.poll_failed")
    assert (line["http_status"], line["retry_after_seconds"]) == (429, 7)


def test_an_enrolment_that_fails_is_tried_again(
    stage: Stage, control: Mailbox, poller: PlayedPoller
) -> None:
    """In the same process: no restart is needed."""
    poller.end(PollFailure(Failure.NOT_ENROLLED, "identity bootstrap failed: 503 busy"))
    assert stage.events("central.config.poll_failed")[0]["error_kind"] == "identity_not_acquired"
    assert described(stage).error == "identity bootstrap failed: 503 busy"
    stage.pass_time(30)
    poller.end(Unchanged(None), acquired=Step.BOOTSTRAP)
    assert control.all() == [PollFailed(), PollSucceeded(1)]


def test_the_condition_is_the_etag_that_runs(stage: Stage, poller: PlayedPoller) -> None:
    """central 9: read when the poll is made."""
    stage.join()
    poller.end(Unchanged(None))
    stage.pass_time(INTERVAL_S)
    assert poller.asked == [(URL, None), (URL, "etag-1")]


def test_a_restart_begins_anew(stage: Stage, control: Mailbox, poller: PlayedPoller) -> None:
    """contract §7: at once, without the failures of before; what was under way is forgotten."""
    poller.end(BROKEN)
    stage.pass_time(30)
    control.all()
    stage.tell(CENTRAL_LINK, changed(stage, revision=2))
    assert poller.calls[-2:] == ["reset", "poll"]
    poller.end(Unchanged("old"), which=1)
    assert control.all() == [], "a poll under the config before says nothing of this one"
    poller.end(BROKEN)
    assert stage.timers.pending_delays() == [30]
    poller.end(Unchanged(None))
    assert control.all() == [PollFailed(), PollSucceeded(2)]


def test_what_is_announced_again_changes_nothing(stage: Stage, poller: PlayedPoller) -> None:
    poller.end(BROKEN)
    stage.tell(CENTRAL_LINK, changed(stage), changed(stage))
    assert poller.calls == ["reset", "poll"]
    assert stage.timers.pending_delays() == [30]


def test_another_server_under_the_same_revision_is_another_server(
    stage: Stage, poller: PlayedPoller
) -> None:
    plant_central_seed(stage.home, "https://other.example/")
    stage.tell(CENTRAL_LINK, changed(stage))
    assert [url for url, _ in poller.asked] == [URL, "https://other.example/"]


def test_a_machine_that_left_polls_nobody(
    stage: Stage, control: Mailbox, poller: PlayedPoller
) -> None:
    poller.end(Unchanged(None))
    control.all()
    stage.home.seed_file.unlink()
    stage.tell(CENTRAL_LINK, changed(stage, revision=2))
    stage.pass_time(10 * INTERVAL_S)
    assert len(poller.asked) == 1
    assert poller.calls[-1] == "reset"
    assert stage.ask(CENTRAL_LINK, DescribeLink()) is None


def test_a_sink_that_cannot_be_used_is_said(stage: Stage, control: Mailbox) -> None:
    plant_central_seed(stage.home, "http://fleet.example/")
    poller = PlayedPoller(stage)
    stage.start_central_link(poller)
    stage.tell(CENTRAL_LINK, changed(stage))
    assert poller.asked == []
    assert "must be https" in stage.events("central.sink_unusable")[0]["detail"]
    assert control.all() == [ConfigWanted(CENTRAL_LINK)]


def test_the_local_layer_hands_nobody_to_another_fleet(stage: Stage, control: Mailbox) -> None:
    """A joined machine follows its central layer; one without follows its own config."""
    stage.home.default_local_config.write_bytes(
        central(url="https://evil.example/").replace(b'"central"', b'"a-local"')
    )
    poller = PlayedPoller(stage)
    stage.start_central_link(poller)
    stage.tell(CENTRAL_LINK, changed(stage))
    stage.home.seed_file.unlink()
    stage.tell(CENTRAL_LINK, changed(stage, revision=2))
    assert [url for url, _ in poller.asked] == [URL, "https://evil.example/"]
    assert control.all() == [ConfigWanted(CENTRAL_LINK)]


def test_a_joined_machine_whose_server_cannot_be_used_follows_nobody_else(
    stage: Stage, control: Mailbox
) -> None:
    plant_central_seed(stage.home, "http://fleet.example/")
    stage.home.default_local_config.write_bytes(
        central(url="https://evil.example/").replace(b'"central"', b'"a-local"')
    )
    poller = PlayedPoller(stage)
    stage.start_central_link(poller)
    stage.tell(CENTRAL_LINK, changed(stage))
    assert poller.asked == []
    assert control.all() == [ConfigWanted(CENTRAL_LINK)]


def test_it_says_how_it_is(stage: Stage, poller: PlayedPoller) -> None:
    assert described(stage) == LinkState("central", URL, "https://fleet.example:443")
    poller.end(Unchanged(None))
    state = described(stage)
    assert state.polled_at == state.succeeded_at == "2026-06-25T00:00:00.000Z"
    assert state.next_poll_at == "2026-06-25T00:01:00.000Z"
    stage.pass_time(INTERVAL_S)
    poller.end(BROKEN)
    state = described(stage)
    assert (state.error, state.failures) == ("no answer", 1)
    assert state.succeeded_at == "2026-06-25T00:00:00.000Z"
    assert state.polled_at == "2026-06-25T00:01:00.000Z"
    assert state.gateway_id == "gw-1"


def test_a_stop_gives_a_poll_its_grace(
    stage: Stage, control: Mailbox, poller: PlayedPoller
) -> None:
    """central 15 and 16: after it nothing is polled, and nothing counts as a failure."""
    poller.end(Unchanged(None))
    control.all()
    stage.stop(CENTRAL_LINK)
    assert poller.calls[-1] == "close 1"
    assert stage.timers.pending_delays() == []
    assert stage.events("central.config.poll_failed") == []


# With the real config control


@pytest.fixture
def both(stage: Stage) -> PlayedPoller:
    plant_central_seed(stage.home)
    poller = PlayedPoller(stage)
    stage.start_config_control()
    stage.start_central_link(poller)
    stage.quiesce()
    return poller


def test_a_join_in_full(stage: Stage, both: PlayedPoller) -> None:
    """central §6: pull without an etag, apply, pull with it, confirm."""
    both.end(Served(DOCUMENT, '"one"'))
    assert running_etag(stage.home) == '"one"'
    assert both.asked == [(URL, None), (URL, '"one"')]
    assert stage.boot_engine().probation is not None
    both.end(Unchanged('"one"'))
    assert stage.boot_engine().probation is None
    assert stage.events("config.probation_cleared")[0]["etag"] == '"one"'


def test_a_link_that_starts_anew_finds_its_server(stage: Stage, both: PlayedPoller) -> None:
    both.end(Unchanged(None))
    stage.crash(CENTRAL_LINK)
    stage.start_central_link(both)
    stage.quiesce()
    assert len(both.asked) == 2


def test_a_server_that_is_down_for_the_whole_trial(stage: Stage, both: PlayedPoller) -> None:
    """central 18: no poll, no confirmation, back to what ran before."""
    both.end(Served(DOCUMENT, '"one"'))
    for _ in range(60):
        if len(both.asked) > 2 and both.asked[-1][1] is None:
            break
        if both.calls[-1] == "poll" and stage.timers.pending_delays():
            both.end(BROKEN)
        stage.pass_time(30)
    assert running_etag(stage.home) is None
    assert stage.events("config.probation_expired")


def test_a_server_that_is_back_at_the_last_moment(stage: Stage, both: PlayedPoller) -> None:
    """central 18."""
    both.end(Served(DOCUMENT, '"one"'))
    for delay_s in (30, 60):
        both.end(BROKEN)
        stage.pass_time(delay_s)
    both.end(Unchanged('"one"'))
    stage.pass_time(2000)
    assert running_etag(stage.home) == '"one"'
    assert not stage.events("config.probation_expired")


def test_a_server_that_always_serves_the_same(stage: Stage, both: PlayedPoller) -> None:
    """central 32: 200 with the etag that runs is no reason to restart."""
    both.end(Served(DOCUMENT, '"one"'))
    both.end(Served(DOCUMENT, '"one"'))
    stage.pass_time(INTERVAL_S)
    both.end(Served(DOCUMENT, '"one"'))
    assert len(stage.events("daemon.restart_requested")) == 1
    assert len(stage.events("config.probation_cleared")) == 1
    actions = [line["apply_action"] for line in stage.events("central.config.poll")]
    assert actions == ["applied", "noop_same_etag", "noop_same_etag"]
