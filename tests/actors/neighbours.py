"""The neighbours of config control, and the documents that it is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.actors._names import CENTRAL_LINK, CONFIG_CONTROL, RECONCILER
from hypactors.config import StageResult, running_etag
from hypactors.messages import (
    ConfigChanged,
    ConfigStaged,
    DescribeConfig,
    PollSucceeded,
    StageConfig,
)
from tests.actors.served import entry, served
from tests.actors.stage import RUNNER

if TYPE_CHECKING:
    from tests.actors.stage import Stage

E1 = StageConfig(served(entry(window_days=1)), "E1")
E2 = StageConfig(served(entry(window_days=2)), "E2")
E3 = StageConfig(served(entry(window_days=3)), "E3")

APPLIED = ConfigStaged(StageResult("applied"), "E1")


class Neighbours:
    """The ones that config control talks to, all listening."""

    def __init__(self, stage: Stage) -> None:
        self.reconciler = stage.stand_in(RECONCILER)
        self.link = stage.stand_in(CENTRAL_LINK)
        self.runner = stage.stand_in(RUNNER)

    def forget(self) -> None:
        for mailbox in (self.reconciler, self.link, self.runner):
            mailbox.all()


def config(stage: Stage) -> ConfigChanged:
    found = stage.ask(CONFIG_CONTROL, DescribeConfig())
    assert isinstance(found, ConfigChanged)
    return found


def window_days(changed: ConfigChanged) -> object:
    """Return what tells E1, E2 and E3 apart; None for the seed."""
    assert changed.layers.effective is not None
    for plugin in changed.layers.effective.plugins:
        return (plugin.config or {})["backfill"]["window_days"]
    return None


def keep(stage: Stage, document: StageConfig) -> None:
    """Apply a document and confirm it."""
    stage.tell(CONFIG_CONTROL, document, PollSucceeded())
    assert running_etag(stage.home) == document.etag
    assert config(stage).is_confirmed


def restarts(stage: Stage) -> list[str]:
    """Return the staged restarts that were asked for; each was brought to its end."""
    asked = [line["hyp_reason"] for line in stage.events("daemon.restart_requested")]
    done = [line["hyp_reason"] for line in stage.events("daemon.restart_completed")]
    assert asked == done
    return asked
