"""The owner of an export: when it starts one, and what it makes of its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hypactors.actors import _lone_child
from hypactors.actors._export_moment import MOST_SPREAD_S, Outlook, wait_until_next_s
from hypactors.actors._forward_runner import ForwardRunner
from hypactors.actors._names import forward_name
from hypactors.central import CentralSink
from hypactors.clock import ManualClock
from hypactors.forward import (
    Hold,
    SinkStatus,
    cache_stamp,
    release_hold,
    write_first_sync_hold,
    write_sink_status,
)
from hypactors.messages import (
    DescribeRun,
    DrainRequested,
    ExportRequested,
    SinkChanged,
    StopImport,
)
from hypactors.processes import FileLock, ProviderRuns
from tests.actors.imports import nursery_of
from tests.actors.stage import HARMLESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.actors.imports import PlayedImports
    from tests.actors.stage import Stage

NAME = forward_name("central")
NOW = ManualClock().now()
FLEET = "https://fleet.example:443"
NEVER = "0 0 30 2 *"

GONE_THROUGH = SinkStatus(fleet=FLEET, at="", status="exported", cache_stamp="1")


def outlook(**known: Any) -> Outlook:
    plain = {
        "fleet": FLEET,
        "stamp": "2",
        "status": GONE_THROUGH,
        "hold": None,
        "is_enrolled": True,
    }
    return Outlook(**{**plain, **known})


@pytest.mark.parametrize(
    ("known", "is_due"),
    [
        ({}, True),
        ({"status": None}, True),
        ({"stamp": "1"}, False),
        ({"stamp": None, "status": None}, False),
        ({"stamp": "1", "fleet": "https://other:443"}, True),
        ({"hold": Hold(NOW)}, False),
        ({"is_enrolled": False}, False),
        ({"failures": 1, "since_failure_s": 29}, False),
        ({"failures": 1, "since_failure_s": 30}, True),
        ({"failures": 9, "since_failure_s": 299}, False),
    ],
)
def test_when_an_export_is_worth_its_while(known: dict[str, Any], is_due: bool) -> None:  # noqa: FBT001
    assert outlook(**known).is_due(0.0) is is_due


@pytest.mark.parametrize(
    ("schedule", "hold", "wait_s"),
    [
        ("* * * * *", None, 60),
        ("*/5 * * * *", None, 300),
        (NEVER, None, 3600),
        ("* * * * *", 7200, 7200),
    ],
)
def test_when_the_next_occasion_is(schedule: str, hold: float | None, wait_s: float) -> None:
    clock = ManualClock()
    until = None
    if hold is not None:
        clock.advance(hold)
        until = Hold(clock.now())
    assert wait_until_next_s(schedule, until, NOW, 0.0) == wait_s
    assert wait_until_next_s(schedule, until, NOW, 0.99) < wait_s + MOST_SPREAD_S


class Exports:
    """A runner whose exports are played; ``sink`` is what it was started with."""

    def __init__(self, stage: Stage, imports: PlayedImports) -> None:
        self.stage = stage
        self.imports = imports
        self.busy: list[bool] = []
        self.sink = CentralSink(
            "central", "https://fleet.example/", stage.home.identity_file, schedule="*/5 * * * *"
        )
        HARMLESS[NAME] = DescribeRun()
        stage.home.identity_file.parent.mkdir(parents=True)
        stage.home.identity_file.touch()
        stage.home.lake_dir.mkdir(parents=True)
        self.news()

    def start(self) -> None:
        self.stage._start(
            NAME,
            ForwardRunner,
            sink=self.sink,
            nursery=nursery_of(self.stage, self.imports, self.busy),
            timers=self.stage.timers,
            random=lambda: 0.0,
        )

    def news(self) -> None:
        """Commit something."""
        with (self.stage.home.lake_dir / "catalog.db").open("ab") as stream:
            stream.write(b".")

    def runs(self) -> ProviderRuns:
        return ProviderRuns(self.stage.home, NAME, self.stage.home.sink_runs("central"))

    def sent(self) -> None:
        """Let the export that runs end with all sent."""
        stamp = cache_stamp(self.stage.home)
        status = SinkStatus(fleet=FLEET, at="", status="exported", cache_stamp=stamp)
        write_sink_status(self.stage.home, "central", status)
        self.imports.end(stdout=b'{"status": "exported", "rows": 7}')
        self.stage.settle(NAME)

    def failed(self) -> None:
        self.imports.end(1, stdout=b'{"status": "failed", "error": "no answer"}')
        self.stage.settle(NAME)

    def started(self) -> int:
        self.stage.settle(NAME)
        return len(self.imports.started)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note who is asked to end, and by which means; nobody is."""
    asked: list[str] = []
    for means in ("terminate", "kill"):
        monkeypatch.setattr(
            _lone_child,
            means,
            lambda folder, means=means: asked.append(f"{means} {folder.run_id}"),
        )
    return asked


@pytest.fixture
def exports(
    stage: Stage, imports: PlayedImports, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Exports]:
    monkeypatch.setattr(_lone_child, "launch", imports._launch)
    yield Exports(stage, imports)
    HARMLESS.pop(NAME, None)


def test_what_is_new_at_the_start_is_sent(stage: Stage, exports: Exports) -> None:
    exports.start()
    assert exports.started() == 1
    record = exports.imports.started[0].record()
    assert record is not None
    assert record.argv == ["hyp", "forward", "central", "--json"]
    assert exports.busy == [False, True]
    exports.sent()
    assert exports.busy == [False, True, False]
    [line] = stage.events("central.forward.finished")
    assert (line["status"], line["rows"]) == ("exported", 7)
    assert exports.runs().unsettled() == []


def test_without_news_nothing_is_started(stage: Stage, exports: Exports) -> None:
    """The schedule costs a look at one file, not an interpreter."""
    exports.start()
    exports.sent()
    for _ in range(5):
        stage.pass_time(300)
    stage.tell(NAME, ExportRequested())
    assert exports.started() == 1
    exports.news()
    stage.pass_time(300)
    assert exports.started() == 2


def test_an_import_that_ended_is_an_occasion(stage: Stage, exports: Exports) -> None:
    exports.start()
    exports.sent()
    exports.news()
    stage.tell(NAME, ExportRequested())
    assert exports.started() == 2


def test_one_at_a_time(stage: Stage, exports: Exports) -> None:
    """What comes in meanwhile is sent by the next."""
    exports.start()
    stage.tell(NAME, ExportRequested(), ExportRequested())
    stage.pass_time(300)
    assert exports.started() == 1
    exports.sent()
    assert exports.started() == 1, "nothing came in"
    stage.tell(NAME, ExportRequested())
    exports.news()
    stage.tell(NAME, ExportRequested())
    exports.news()
    exports.sent()
    assert exports.started() == 2


def test_a_failure_is_tried_again_later_each_time(stage: Stage, exports: Exports) -> None:
    """central 29: by the ladder, however often the schedule comes."""
    exports.sink = CentralSink("central", exports.sink.url, exports.sink.identity_path)
    exports.start()
    exports.failed()
    stage.tell(NAME, ExportRequested())
    assert exports.started() == 1
    [line] = stage.events("central.forward.failed")
    assert (line["detail"], line["consecutive_failures"]) == ("no answer", 1)
    stage.pass_time(60)
    assert exports.started() == 2
    exports.failed()
    stage.pass_time(30)
    assert exports.started() == 2
    stage.pass_time(60)
    assert exports.started() == 3
    exports.sent()
    exports.news()
    stage.tell(NAME, ExportRequested())
    assert exports.started() == 4, "a success ends it"


def test_one_that_left_no_result_is_a_failure(stage: Stage, exports: Exports) -> None:
    exports.start()
    exports.imports.vanish()
    stage.settle(NAME)
    assert stage.events("central.forward.failed")
    assert exports.runs().unsettled() == []


def test_during_a_hold_nothing_is_started(stage: Stage, exports: Exports) -> None:
    """central 28: and at its end it is."""
    write_first_sync_hold(stage.home, NOW, pid=1)
    exports.start()
    stage.tell(NAME, ExportRequested())
    stage.pass_time(3600)
    assert exports.started() == 0
    stage.pass_time(23 * 3600)
    assert exports.started() == 1


def test_a_hold_that_was_let_go(stage: Stage, exports: Exports) -> None:
    write_first_sync_hold(stage.home, NOW, pid=1)
    exports.start()
    release_hold(stage.home)
    stage.tell(NAME, ExportRequested())
    assert exports.started() == 1


def test_before_the_machine_is_enrolled_nothing_is_started(stage: Stage, exports: Exports) -> None:
    stage.home.identity_file.unlink()
    exports.start()
    assert exports.started() == 0
    stage.home.identity_file.touch()
    stage.pass_time(300)
    assert exports.started() == 1


def test_somebody_who_sends_by_hand_comes_first(stage: Stage, exports: Exports) -> None:
    lock = FileLock.try_take(stage.home.sink_runs("central") / "lock")
    assert lock is not None
    with lock:
        exports.start()
        assert exports.started() == 0
    stage.pass_time(300)
    assert exports.started() == 1


def test_an_export_is_found_again(stage: Stage, exports: Exports) -> None:
    """design: nothing is started twice, across crashes of the runner."""
    exports.start()
    stage.crash(NAME)
    exports.start()
    assert exports.started() == 1
    assert stage.events("export_adopted")
    exports.sent()
    assert exports.runs().unsettled() == []


def test_an_export_that_ended_while_nobody_looked(stage: Stage, exports: Exports) -> None:
    exports.start()
    stage.crash(NAME)
    exports.imports.end()
    exports.start()
    assert exports.started() == 2


def test_a_disk_that_is_full(stage: Stage, exports: Exports) -> None:
    exports.imports.launch_error = OSError(28, "No space left on device")
    exports.start()
    assert stage.events("export_not_started")
    exports.imports.launch_error = None
    stage.pass_time(300)
    assert exports.started() == 1


def test_a_daemon_that_stops_lets_it_end_after_its_batch(
    stage: Stage, exports: Exports, asked: list[str]
) -> None:
    exports.start()
    run_id = exports.imports.started[0].run_id
    stage.tell(NAME, DrainRequested(), StopImport(at_once=False), StopImport(at_once=True))
    assert asked == [f"terminate {run_id}", f"terminate {run_id}", f"kill {run_id}"]
    exports.news()
    exports.sent()
    stage.tell(NAME, ExportRequested())
    assert exports.started() == 1, "and begins nothing more"


def test_a_sink_that_left_takes_its_runner_with_it(
    stage: Stage, exports: Exports, asked: list[str]
) -> None:
    """contract §7."""
    exports.start()
    stage.directory.tell(NAME, SinkChanged(None))
    stage.settle(NAME)
    assert len(asked) == 1
    exports.imports.end()
    assert stage.next_end(NAME).error is None


def test_an_idle_one_leaves_at_once(stage: Stage, exports: Exports) -> None:
    exports.start()
    exports.sent()
    stage.directory.tell(NAME, SinkChanged(None))
    assert stage.next_end(NAME).error is None


def test_another_fleet_is_another_export(stage: Stage, exports: Exports, asked: list[str]) -> None:
    exports.start()
    other = CentralSink("central", "https://other.example/", exports.sink.identity_path)
    stage.tell(NAME, SinkChanged(exports.sink))
    assert asked == []
    stage.tell(NAME, SinkChanged(other))
    assert len(asked) == 1
    exports.sent()
    assert exports.started() == 2, "what went to the fleet of before is not there"
