"""The owner of the cache's upkeep: when it starts one, and what it makes of its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from hypactors.actors import _lone_child
from hypactors.actors._maintenance_runner import FIRST_S, MaintenanceRunner
from hypactors.actors._names import CONFIG_CONTROL, MAINTENANCE
from hypactors.config import resolve_layers
from hypactors.messages import (
    ConfigChanged,
    ConfigWanted,
    DescribeRun,
    DrainRequested,
    MaintenanceDue,
    StopImport,
)
from hypactors.processes import FileLock, ProviderRuns
from tests.actors.imports import nursery_of
from tests.actors.stage import HARMLESS, Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykka import ActorRef

    from tests.actors.imports import PlayedImports
    from tests.actors.stage import Stage

HOUR_S = 3600
DAY_S = 86_400
OK = b'{"rows_removed": 3}'


class Upkeep:
    """A runner whose children are played, on a machine with a cache and a config."""

    def __init__(self, stage: Stage, imports: PlayedImports) -> None:
        self.stage = stage
        self.imports = imports
        self.busy: list[bool] = []
        self.control = Mailbox()
        stage.directory.put(CONFIG_CONTROL, cast("ActorRef[Any]", self.control))
        HARMLESS[MAINTENANCE] = DescribeRun()
        stage.home.lake_dir.mkdir(parents=True)
        self.news()

    def start(self) -> None:
        self.stage._start(
            MAINTENANCE,
            MaintenanceRunner,
            nursery=nursery_of(self.stage, self.imports, self.busy),
            timers=self.stage.timers,
        )

    def configure(self, **maintenance: Any) -> None:
        """Tell the runner of a config with these settings of the upkeep."""
        document = {"version": 2, "query": {"cache": {"maintenance": maintenance}}}
        path = self.stage.home.default_local_config
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
        layers = resolve_layers(self.stage.home, {})
        assert layers.problems == ()
        self.stage.tell(MAINTENANCE, ConfigChanged(layers, is_confirmed=True))

    def news(self) -> None:
        """Commit something."""
        with (self.stage.home.lake_dir / "catalog.db").open("ab") as stream:
            stream.write(b".")

    def runs(self) -> ProviderRuns:
        return ProviderRuns(self.stage.home, MAINTENANCE, self.stage.home.maintenance_runs)

    def end(self, exit_code: int = 0) -> None:
        self.imports.end(exit_code, stdout=OK, stderr=b"hyp maintain: disk full\n")
        self.stage.settle(MAINTENANCE)

    def pass_time(self, seconds: float) -> None:
        self.stage.pass_time(seconds)
        self.stage.settle(MAINTENANCE)

    @property
    def started(self) -> int:
        self.stage.settle(MAINTENANCE)
        return len(self.imports.started)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note by which means a child is asked to end; none is."""
    asked: list[str] = []
    for means in ("terminate", "kill"):
        monkeypatch.setattr(_lone_child, means, lambda _folder, means=means: asked.append(means))
    return asked


@pytest.fixture
def upkeep(
    stage: Stage, imports: PlayedImports, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Upkeep]:
    monkeypatch.setattr(_lone_child, "launch", imports._launch)
    yield Upkeep(stage, imports)
    HARMLESS.pop(MAINTENANCE, None)


def test_it_asks_for_the_config_and_does_nothing_before_it_has_one(upkeep: Upkeep) -> None:
    upkeep.start()
    assert upkeep.control.next(ConfigWanted) == ConfigWanted(MAINTENANCE)
    upkeep.pass_time(DAY_S)
    assert upkeep.started == 0


def test_the_first_comes_a_while_after_the_start(upkeep: Upkeep) -> None:
    upkeep.start()
    upkeep.configure()
    upkeep.pass_time(FIRST_S - 1)
    assert upkeep.started == 0
    upkeep.pass_time(1)
    assert upkeep.started == 1
    record = upkeep.imports.started[0].record()
    assert record is not None
    assert record.argv[-2:] == ["maintain", "--json"]
    assert upkeep.busy == [False, True]
    upkeep.end()
    assert upkeep.busy == [False, True, False]
    assert upkeep.runs().unsettled() == []
    assert len(upkeep.stage.events("maintenance_finished")) == 1


def test_without_news_it_comes_once_a_day(upkeep: Upkeep) -> None:
    """Rows grow old although nothing is written."""
    upkeep.start()
    upkeep.configure()
    upkeep.pass_time(FIRST_S)
    upkeep.end()
    for _ in range(23):
        upkeep.pass_time(HOUR_S)
    assert upkeep.started == 1
    upkeep.pass_time(HOUR_S)
    assert upkeep.started == 2


def test_with_news_it_comes_at_the_interval(upkeep: Upkeep) -> None:
    upkeep.start()
    upkeep.configure(interval_minutes=10)
    upkeep.pass_time(FIRST_S)
    upkeep.end()
    upkeep.news()
    upkeep.pass_time(599)
    assert upkeep.started == 1
    upkeep.pass_time(1)
    assert upkeep.started == 2


def test_a_failure_is_logged_and_tried_again_at_the_interval(upkeep: Upkeep) -> None:
    upkeep.start()
    upkeep.configure()
    upkeep.pass_time(FIRST_S)
    upkeep.end(1)
    [line] = upkeep.stage.events("maintenance_failed")
    assert line["detail"] == "hyp maintain: disk full"
    upkeep.pass_time(HOUR_S)
    assert upkeep.started == 2


def test_a_config_can_switch_it_off_and_on(upkeep: Upkeep) -> None:
    upkeep.start()
    upkeep.configure(enabled=False)
    upkeep.pass_time(DAY_S)
    assert upkeep.started == 0
    upkeep.configure()
    upkeep.pass_time(FIRST_S)
    assert upkeep.started == 1


def test_a_config_that_changes_nothing_does_not_put_it_off(upkeep: Upkeep) -> None:
    upkeep.start()
    upkeep.configure()
    upkeep.pass_time(FIRST_S - 10)
    upkeep.configure()
    upkeep.pass_time(10)
    assert upkeep.started == 1


def test_another_interval_counts_from_the_change_on(upkeep: Upkeep) -> None:
    upkeep.start()
    upkeep.configure(interval_minutes=600)
    upkeep.pass_time(FIRST_S)
    upkeep.end()
    upkeep.news()
    upkeep.configure(interval_minutes=10)
    upkeep.pass_time(600)
    assert upkeep.started == 2


def test_without_a_cache_nothing_is_started(upkeep: Upkeep) -> None:
    (upkeep.stage.home.lake_dir / "catalog.db").unlink()
    upkeep.start()
    upkeep.configure()
    upkeep.pass_time(DAY_S)
    assert upkeep.started == 0


def test_one_at_a_time_and_none_beside_one_by_hand(upkeep: Upkeep) -> None:
    upkeep.start()
    upkeep.configure()
    lock = FileLock.try_take(upkeep.stage.home.maintenance_runs / "lock")
    assert lock is not None
    with lock:
        upkeep.pass_time(FIRST_S)
        assert upkeep.started == 0
    upkeep.pass_time(HOUR_S)
    upkeep.stage.tell(MAINTENANCE, MaintenanceDue())
    assert upkeep.started == 1


def test_a_full_disk_is_logged(upkeep: Upkeep) -> None:
    upkeep.imports.launch_error = OSError(28, "No space left on device")
    upkeep.start()
    upkeep.configure()
    upkeep.pass_time(FIRST_S)
    [line] = upkeep.stage.events("maintenance_not_started")
    assert "No space left" in str(line["detail"])
    upkeep.imports.launch_error = None
    upkeep.pass_time(HOUR_S)
    assert upkeep.started == 1


def test_one_that_runs_is_taken_up_by_the_next_life(upkeep: Upkeep) -> None:
    upkeep.start()
    upkeep.configure()
    upkeep.pass_time(FIRST_S)
    upkeep.stage.crash(MAINTENANCE)
    upkeep.start()
    upkeep.configure()
    assert upkeep.busy[-2:] == [False, True]
    upkeep.pass_time(FIRST_S)
    assert upkeep.started == 1
    upkeep.end()
    assert upkeep.busy[-3:] == [False, True, False]
    assert upkeep.runs().unsettled() == []


def test_a_drain_ends_what_runs_and_begins_nothing(upkeep: Upkeep, asked: list[str]) -> None:
    upkeep.start()
    upkeep.configure()
    upkeep.pass_time(FIRST_S)
    upkeep.stage.tell(MAINTENANCE, DrainRequested())
    assert asked == ["terminate"]
    upkeep.stage.tell(MAINTENANCE, StopImport(at_once=True))
    assert asked == ["terminate", "kill"]
    upkeep.end(1)
    upkeep.news()
    upkeep.pass_time(DAY_S)
    assert upkeep.started == 1
