"""The export of logs and traces that the settings ask for, if they do."""

from __future__ import annotations

import platform
from datetime import timedelta
from typing import TYPE_CHECKING

from hypactors.clock import iso_ms
from hypactors.errors import ConfigError
from hypactors.logs import Follower, LogFiles, Wanted, newest
from hypactors.observability import BEGINS, OtlpExport, otlp_target

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from hypactors.clock import Clock
    from hypactors.paths import HypHome
    from hypactors.settings import Settings

MOST_EARLIER = 100


class LogExport:
    """Exports from the moment it is made. What goes wrong with it costs the export alone."""

    def __init__(
        self, home: HypHome, settings: Settings, *, clock: Clock, log: FilteringBoundLogger
    ) -> None:
        self._export: OtlpExport | None = None
        self._fault: str | None = None
        try:
            target = otlp_target(settings, home)
        except ConfigError as error:
            target, self._fault = None, str(error)
        if self._fault is not None:
            log.error("otlp_export_not_started", detail=self._fault)
        if target is None:
            return
        files = LogFiles(home)
        follower = Follower(files)
        # Imports outlive a daemon: what the one before began is ended in traces of this one.
        oldest = clock.now() - timedelta(seconds=settings.import_max_runtime_s)
        began = Wanted(since=iso_ms(oldest), events=BEGINS)
        self._export = OtlpExport(
            target,
            lines=follower,
            earlier=lambda: newest(files.streams(), follower.begins, began, MOST_EARLIER),
            machine="\0".join((platform.node(), str(home.root))),
            clock=clock,
            log=log,
        )
        self._export.start()

    @property
    def trouble(self) -> str | None:
        """What is wrong now, for a person; None: nothing, or nothing is to be exported."""
        return self._fault if self._export is None else self._export.trouble

    def close(self) -> None:
        """Send what was logged last, for a short time."""
        if self._export is not None:
            self._export.close()
