"""The central sinks of a config: who is sent to, and how a machine shows who it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypactors.central._urls import fleet_of, url_fault
from hypactors.config import RequestSink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypactors.config import ConfigDocument, Layers
    from hypactors.paths import HypHome

CENTRAL_PLUGIN = "@hypaware/central"

DEFAULT_POLL_S = 300
_SHORTEST_POLL_S = 5
_LONGEST_POLL_S = 3600
EVERY_MINUTE = "* * * * *"


@dataclass(frozen=True, slots=True)
class CentralSink:
    """One sink of the plugin ``@hypaware/central`` (central §1)."""

    name: str
    url: str
    identity_path: Path
    bootstrap_token: str | None = field(default=None, repr=False)
    schedule: str = EVERY_MINUTE
    poll_interval_s: float = DEFAULT_POLL_S

    @property
    def fleet(self) -> str:
        return fleet_of(self.url)


@dataclass(frozen=True, slots=True)
class SinkFault:
    """A central sink that cannot be used, and why: one line that names the key."""

    name: str
    reason: str


class _UnusableSinkError(Exception):
    """Its text says which key is wrong."""


def central_sinks(document: ConfigDocument, home: HypHome) -> tuple[CentralSink, ...]:
    """Return the central sinks that can be used, in document order."""
    read = _read_sinks(document, home)
    return tuple(sink for sink in read if isinstance(sink, CentralSink))


def link_sink(layers: Layers, home: HypHome) -> CentralSink | None:
    """Return the sink whose server says what this machine runs; None when there is none.

    It is that of the central layer. Only a machine without one follows a central sink of its own
    local config: nobody's local file may hand a joined machine to another fleet.
    """
    if layers.effective is None:
        return None
    sinks = central_sinks(layers.effective, home)
    if layers.is_joined:
        served = layers.central.sinks if layers.central else {}
        sinks = tuple(sink for sink in sinks if sink.name in served)
    return sinks[0] if sinks else None


def sink_faults(document: ConfigDocument, home: HypHome) -> tuple[SinkFault, ...]:
    """Return the central sinks that cannot: each fails alone, the others run."""
    read = _read_sinks(document, home)
    return tuple(sink for sink in read if isinstance(sink, SinkFault))


def _read_sinks(document: ConfigDocument, home: HypHome) -> list[CentralSink | SinkFault]:
    is_active = any(entry.name == CENTRAL_PLUGIN and entry.enabled for entry in document.plugins)
    read: list[CentralSink | SinkFault] = []
    for name, sink in document.sinks.items():
        if not isinstance(sink, RequestSink) or sink.plugin != CENTRAL_PLUGIN:
            continue
        if not is_active:
            reason = f"sinks.{name}: needs the plugin {CENTRAL_PLUGIN}, which is not enabled"
            read.append(SinkFault(name, reason))
            continue
        try:
            read.append(_read_sink(name, sink.config or {}, home))
        except _UnusableSinkError as fault:
            read.append(SinkFault(name, f"sinks.{name}: {fault}"))
    return read


def _read_sink(name: str, config: Mapping[str, Any], home: HypHome) -> CentralSink:
    # The name becomes a folder below the sinks' own.
    if name in {".", ".."}:
        raise _UnusableSinkError("is no name for a sink")
    url = config.get("url")
    if not isinstance(url, str):
        raise _UnusableSinkError("config.url is missing")
    fault = url_fault(url)
    if fault is not None:
        raise _UnusableSinkError(f"config.url {fault}")
    identity = config.get("identity")
    if not isinstance(identity, dict):
        raise _UnusableSinkError("config.identity must be an object; it may be empty")
    token = _optional_text(identity, "bootstrap_token")
    path = _optional_text(identity, "persisted_path")
    schedule = config.get("schedule", EVERY_MINUTE)
    if not isinstance(schedule, str):
        raise _UnusableSinkError("config.schedule must be a text with five fields")
    return CentralSink(
        name=name,
        url=url,
        identity_path=home.state_root / Path(path).expanduser() if path else home.identity_file,
        bootstrap_token=token or None,
        schedule=schedule,
        poll_interval_s=_poll_interval(config.get("poll_interval_seconds", DEFAULT_POLL_S)),
    )


def _optional_text(identity: Mapping[str, Any], key: str) -> str | None:
    value = identity.get(key)
    if value is not None and not isinstance(value, str):
        raise _UnusableSinkError(f"config.identity.{key} must be a text")
    return value


def _poll_interval(value: object) -> float:
    # 30.0 is an integer to the other client, and true is none to anybody.
    is_integer = isinstance(value, int | float) and not isinstance(value, bool)
    if is_integer and _SHORTEST_POLL_S <= value <= _LONGEST_POLL_S and value == int(value):  # type: ignore[operator,call-overload]
        return float(value)  # type: ignore[arg-type]
    raise _UnusableSinkError(
        f"config.poll_interval_seconds must be an integer from {_SHORTEST_POLL_S}"
        f" to {_LONGEST_POLL_S}"
    )
