"""A poller whose polls end when a test says so, and the seed of a server that it polls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypactors.actors._central_poller import PollReport
from hypactors.actors._names import CENTRAL_LINK

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypactors.central import CentralSink, PollResult, Step
    from hypactors.paths import HypHome
    from tests.actors.stage import Stage

URL = "https://fleet.example/"
INTERVAL_S = 60


def central(*plugins: dict[str, Any], url: str = URL, interval_s: float = INTERVAL_S) -> bytes:
    """Return a document with a central sink."""
    config = {"url": url, "identity": {}, "poll_interval_seconds": interval_s}
    return json.dumps(
        {
            "version": 2,
            "plugins": [{"name": "@hypaware/central"}, *plugins],
            "sinks": {"central": {"plugin": "@hypaware/central", "config": config}},
        }
    ).encode()


def plant_central_seed(home: HypHome, url: str = URL) -> None:
    home.control_dir.mkdir(parents=True, exist_ok=True)
    home.seed_file.write_bytes(central(url=url))


class PlayedPoller:
    """Notes what is asked of it. Polls that are under way end with :meth:`end`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.asked: list[tuple[str, str | None]] = []
        self.calls: list[str] = []
        self._done: list[Callable[[PollReport], object]] = []

    def poll(
        self, sink: CentralSink, etag: str | None, done: Callable[[PollReport], object]
    ) -> None:
        self.calls.append("poll")
        self.asked.append((sink.url, etag))
        self._done.append(done)

    def reset(self) -> None:
        self.calls.append("reset")

    def close(self, grace_s: float) -> None:
        self.calls.append(f"close {grace_s:g}")

    def end(self, result: PollResult, *, which: int = -1, acquired: Step | None = None) -> None:
        """Let a poll end, and wait until the link has heard of it and everybody of that."""
        self._done[which](PollReport(result, "gw-1", acquired))
        self.stage.settle(CENTRAL_LINK)
        self.stage.quiesce()


class SilentPoller:
    """Its polls never end."""

    def poll(
        self, sink: CentralSink, etag: str | None, done: Callable[[PollReport], object]
    ) -> None:
        """Ask nobody."""

    def reset(self) -> None:
        """Have nothing to break off."""

    def close(self, grace_s: float) -> None:
        """Have nothing to wait for."""
